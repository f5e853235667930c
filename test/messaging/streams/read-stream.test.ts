import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { until } from "../../refstore/manual-clock.ts";
import { createHearing, endOf, lane, opening, partsOf, type Said, settle, streamId } from "./stream-lane.ts";

const words = ["Once ", "upon ", "a ", "time\u{1F600} ", "there ", "was ", "a ", "lane", "."];
const whole = words.join("");
const bytes = [Uint8Array.of(0, 255), Uint8Array.of(1), Uint8Array.of(128, 7, 9)];
const other: Said = { kind: "note", body: "something else" };
const quiet = async (): Promise<void> => {
  for (let turns = 0; turns < 20; turns++) await settle();
};
const withCode = (code: string) => expect.objectContaining({ code });

/** The whole stream, with other things between its parts. */
const told = async (): Promise<Said[]> => [
  opening,
  ...partsOf(words).flatMap((part) => [part, other]),
  await endOf(whole),
];

describe("reading", () => {
  it("STREAM-11: gives each part as it comes, and ends when all was read", async () => {
    const world = createHearing();
    const reader = world.read();
    const late = world.read();
    await world.hear([opening]);
    for (const [index, part] of partsOf(words).entries()) {
      await world.hear([part, other]);
      await until(() => reader.text === words.slice(0, index + 1).join(""));
    }
    expect([reader.end, late.text]).toEqual([undefined, whole]);
    await world.hear([await endOf(whole)]);
    await Promise.all([reader.over, late.over]);
    expect([reader.end, reader.at, late.end]).toEqual(["done", [0, 5, 10, 12, 19, 25, 29, 31, 35], "done"]);
  });

  it("STREAM-11: gives bytes as bytes", async () => {
    const world = createHearing();
    const joined = Uint8Array.of(0, 255, 1, 128, 7, 9);
    await world.hear([opening, ...partsOf(bytes), await endOf(joined)]);
    const reader = world.read();
    await reader.over;
    expect([reader.end, reader.at, reader.text]).toEqual(["done", [0, 2, 3], String.fromCharCode(...joined)]);
    const rest = world.read({ from: 4 });
    await rest.over;
    expect([rest.end, rest.at, rest.text]).toEqual(["done", [4], "\u0007\t"]);
  });

  it("STREAM-11: ends with an abort, and with the room", async () => {
    const world = createHearing();
    await world.hear([opening, ...partsOf(["a"])]);
    const gone = new AbortController();
    const reader = world.read({ signal: gone.signal });
    const stays = world.read();
    await until(() => reader.text + stays.text === "aa");
    gone.abort(new Error("gone"));
    await reader.over;
    expect([reader.end, stays.end]).toEqual([new Error("gone"), undefined]);
    world.closed.abort(new Error("closed"));
    await stays.over;
    expect(stays.end).toEqual(new Error("closed"));
    expect([world.log.added.size, world.log.released.size]).toEqual([0, 1]);
  });

  it("STREAM-11: refuses what is no stream and no offset, and takes nobody else's parts", async () => {
    const world = createHearing();
    await world.hear([other]);
    const reader = world.read();
    await reader.over;
    expect(reader.end).toEqual(withCode("messaging/invalid-options"));
    for (const [id, from] of [
      ["stream", 0],
      [streamId, -1],
      [streamId, 0.5],
      [streamId, Number.NaN],
    ] as const) {
      const refused = world.read({ id, from });
      await refused.over;
      expect(refused.end).toEqual(withCode("messaging/invalid-options"));
    }
    const mine = createHearing();
    await mine.hear([opening, ...partsOf(["a"])]);
    mine.arrive("anon.other.BBBBBBBBBBB", { of: streamId, at: 1, text: "forged" } as never, {
      kind: "stream",
    });
    const honest = mine.read();
    await mine.hear([...partsOf(["a", "b"]).slice(1), await endOf("ab")]);
    await honest.over;
    expect([honest.end, honest.text]).toEqual(["done", "ab"]);
  });
});

describe("pages", () => {
  it("STREAM-12: a stream is read through pages, live or sealed, however slow the reader, each part once", async () => {
    const entries = await told();
    for (let perPage = 1; perPage <= 7; perPage++) {
      const world = createHearing();
      const paces: (() => void)[] = [];
      const slow = world.read({ pace: () => new Promise<void>((go) => paces.push(go)) });
      const fast = world.read();
      const count = Math.ceil(entries.length / perPage);
      for (let page = 0; page < count; page++) {
        await world.hear(entries.slice(page * perPage, (page + 1) * perPage), { begins: true });
        if (page > 1) world.seal(page - 1);
        await quiet();
        if (page % 3 === 0) paces.shift()?.();
      }
      const late = world.read();
      await until(() => {
        paces.shift()?.();
        return slow.end !== undefined && late.end !== undefined && fast.end !== undefined;
      });
      for (const reader of [slow, fast, late])
        expect([perPage, reader.end, reader.text]).toEqual([perPage, "done", whole]);
      world.log.added.emit([]);
    }
  });

  it("STREAM-12: a reader that follows fetches nothing, and holds no page", async () => {
    const world = createHearing();
    const reader = world.read();
    const entries = await told();
    for (const [page, entry] of entries.entries()) {
      await world.hear([entry], { begins: true });
      await quiet();
      if (page > 0) world.seal(page);
      expect(world.log.pages(lane)).toHaveLength(1);
    }
    await reader.over;
    expect([reader.end, reader.text, world.pages.gets]).toEqual(["done", whole, []]);
    const open = createHearing();
    const last = open.read();
    await open.hear([opening, ...partsOf(["a"])]);
    await until(() => last.text === "a");
    await open.sealNewest();
    open.seal(1);
    await quiet();
    expect([last.end, open.pages.gets]).toEqual([undefined, []]);
  });

  it("STREAM-12: what this replica gets as sealed only wakes who waits for it", async () => {
    const world = createHearing();
    const [first, second, third] = partsOf(["a", "b", "c"]) as [Said, Said, Said];
    await world.hear([opening, first]);
    const reader = world.read();
    await until(() => reader.text === "a");
    await world.hear([second], { begins: true, shows: false });
    await world.hear([third], { begins: true, shows: false });
    world.seal(2);
    await until(() => reader.text === "ab");
    expect(reader.end).toBeUndefined();
  });

  it("STREAM-12: what is out of reach is told, and another reading goes on from there", async () => {
    const world = createHearing();
    await world.hearInPages([...(await told()).slice(0, -1), other], 3);
    world.seal(6);
    world.pages.isOffline = true;
    const reader = world.read();
    await reader.over;
    expect(reader.end).toEqual(withCode("refstore/unavailable"));
    world.pages.isOffline = false;
    const again = world.read({ from: reader.text.length });
    await until(() => reader.text + again.text === whole);
  });

  it("STREAM-13: a stream that has ended, and whose beginning is sealed, is read from its whole", async () => {
    const world = createHearing();
    await world.hearInPages(await told(), 3);
    world.seal(6);
    await world.refs.put(new TextEncoder().encode(whole));
    for (const from of [0, 16, 17]) {
      const reader = world.read({ from });
      await reader.over;
      expect([reader.end, reader.text]).toEqual(["done", whole.slice(from === 17 ? 16 : from)]);
    }
    expect(world.pages.gets).toEqual([]);
  });

  it("STREAM-13: where retention took parts, the whole has them; without one they are lost", async () => {
    const ended = createHearing();
    await ended.hearInPages([...(await told()), other, other, other], 3);
    ended.seal(7, { first: 3 });
    await ended.refs.put(new TextEncoder().encode(whole));
    const reader = ended.read();
    await reader.over;
    expect([reader.end, reader.text]).toEqual(["done", whole]);

    const open = createHearing();
    const parts = partsOf(words);
    await open.hearInPages([opening, ...parts], 2);
    open.seal(4, { first: 2 });
    const lost = open.read();
    const soon = open.read({ from: 11 });
    const rest = open.read({ from: 12 });
    await Promise.all([lost.over, soon.over]);
    expect([lost.end, lost.text, soon.end]).toEqual([
      withCode("crdt/history-lost"),
      "",
      withCode("crdt/history-lost"),
    ]);
    await until(() => rest.text === whole.slice(12));
    await open.hear([await endOf(whole)]);
    await rest.over;
    expect(rest.end).toBe("done");
    open.seal(4, { first: 4 });
    const later = open.read({ from: 31 });
    await later.over;
    expect([later.end, later.text]).toEqual(["done", whole.slice(31)]);
  });
});

describe("losses", () => {
  /** A reader that has the first part, in a world whose retention then takes the pages below a number. */
  async function setUp(first: number) {
    const world = createHearing();
    await world.hear([opening, ...partsOf(words).slice(0, 1)]);
    let go = (): void => undefined;
    const blocked = new Promise<void>((resolve) => {
      go = resolve;
    });
    const reader = world.read({ pace: () => blocked });
    await until(() => reader.text === words[0]);
    await world.hearInPages([...partsOf(words).slice(1), await endOf(whole), other], 2, false);
    await world.sealNewest();
    world.seal(6, { first });
    go();
    return { world, reader };
  }

  it("STREAM-13: a reader whose own page was taken goes on with the next", async () => {
    const { reader } = await setUp(1);
    await reader.over;
    expect([reader.end, reader.text]).toEqual(["done", whole]);
  });

  it("STREAM-13: one whose next page was taken goes on with the whole", async () => {
    const { world, reader } = await setUp(3);
    await world.refs.put(new TextEncoder().encode(whole));
    await reader.over;
    expect([reader.end, reader.text]).toEqual(["done", whole]);
  });

  it("STREAM-13: where nothing of an open stream is left it is lost", async () => {
    const world = createHearing();
    await world.hearInPages([opening, ...partsOf(["a"]), other, other, other, other, other], 2);
    world.seal(3, { first: 2 });
    const reader = world.read();
    await reader.over;
    expect(reader.end).toEqual(withCode("crdt/history-lost"));
  });

  it("STREAM-1: no pair is split between two pieces of a whole", async () => {
    const world = createHearing();
    const long = `a${"\u{1F600}".repeat(20_000)}`;
    await world.hearInPages([opening, ...partsOf([long]), await endOf(long)], 1);
    world.seal(2);
    await world.refs.put(new TextEncoder().encode(long));
    const reader = world.read();
    await reader.over;
    expect([reader.end, reader.text === long, reader.at]).toEqual(["done", true, [0, 16_383, 32_767]]);
  });
});

describe("offsets", () => {
  const length = whole.length;

  async function setUp(perPage: number, low: number) {
    const world = createHearing();
    await world.hearInPages(await told(), perPage);
    if (low > 0) world.seal(low);
    await world.refs.put(new TextEncoder().encode(whole));
    return world;
  }

  it("STREAM-14: any offset goes on where it is, in the middle of a pair at the pair", async () => {
    const worlds = [await setUp(30, 0), await setUp(4, 0), await setUp(4, 3)];
    await fc.assert(
      fc.asyncProperty(fc.nat(length), fc.constantFrom(...worlds), async (from, world) => {
        const reader = world.read({ from });
        await reader.over;
        const begin = from === 17 ? 16 : from;
        expect([reader.end, reader.text, reader.at[0]]).toEqual([
          "done",
          whole.slice(begin),
          begin === length ? undefined : begin,
        ]);
      }),
      { numRuns: 150 },
    );
  });

  it("STREAM-14: an offset behind the end is refused at the end", async () => {
    const world = await setUp(30, 0);
    const reader = world.read({ from: length + 1 });
    await reader.over;
    expect([reader.end, reader.text]).toEqual([withCode("messaging/invalid-options"), ""]);
  });
});

describe("ends", () => {
  it("STREAM-15: a failure is told with its reason, after what came before it", async () => {
    const world = createHearing();
    await world.hear([
      opening,
      ...partsOf(["a"]),
      { kind: "stream-end", body: { of: streamId, at: 1, failure: "no more" } },
    ]);
    const reader = world.read();
    await reader.over;
    expect(reader.text).toBe("a");
    expect(reader.end).toMatchObject({
      code: "messaging/stream-failed",
      details: { id: streamId, at: 1, reason: "no more" },
    });
  });

  it("STREAM-10: another writer of the agent may say that it is given up, and nobody else", async () => {
    const world = createHearing();
    await world.hear([opening, ...partsOf(["a"])]);
    const reader = world.read();
    const end = { of: streamId, at: 1, failure: "copied" } as never;
    world.arrive("anon.other.BBBBBBBBBBB", end, { kind: "stream-end" });
    await until(() => reader.text === "a");
    await quiet();
    expect(reader.end).toBeUndefined();
    world.arrive("anon.writer.BBBBBBBBBBB", end, { kind: "stream-end" });
    await reader.over;
    expect(reader.end).toEqual(withCode("messaging/stream-failed"));
    const after = world.read();
    await after.over;
    expect([after.text, after.end]).toEqual(["a", withCode("messaging/stream-failed")]);
  });

  it.each<[string, (said: Said[], end: Said) => Said[]]>([
    ["a part is missing", ([first, , ...rest], end) => [first as Said, ...rest, end]],
    [
      "a part comes twice",
      ([first, second, ...rest], end) => [first as Said, second as Said, second as Said, ...rest, end],
    ],
    [
      "text and bytes are mixed",
      (said, end) => [...said, { kind: "stream", body: { of: streamId, at: 3, bytes: "AA" } }, end],
    ],
    ["it ends too soon", (said, end) => [...said.slice(0, -1), end]],
    [
      "another digest",
      (said, end) => [
        ...said.slice(0, -1),
        { kind: "stream", body: { of: streamId, at: 2, text: "x" } },
        end,
      ],
    ],
  ])("STREAM-16: %s: it is not believed", async (what, bend) => {
    const world = createHearing();
    await world.hear([opening, ...bend(partsOf(["a", "b", "c"]), await endOf("abc"))]);
    const reader = world.read();
    await reader.over;
    expect(reader.end).toEqual(withCode("messaging/stream-corrupt"));
    if (what === "another digest") return;
    const resumed = world.read({ from: 1 });
    await resumed.over;
    expect(resumed.end).toEqual(withCode("messaging/stream-corrupt"));
  });

  it("STREAM-16: a whole that is not as long as its end says, or no text, is not believed", async () => {
    for (const [content, bend] of [
      ["abc", { at: 4 }],
      [Uint8Array.of(255), { unit: "text" }],
    ] as const) {
      const world = createHearing();
      const { kind, body } = await endOf(content);
      const end = { kind, body: { ...(body as object), ...bend } };
      await world.hearInPages([opening, ...partsOf(["abc"]), end], 1);
      world.seal(2);
      await world.refs.put(typeof content === "string" ? new TextEncoder().encode(content) : content);
      const reader = world.read();
      await reader.over;
      expect(reader.end).toEqual(withCode("messaging/stream-corrupt"));
    }
  });

  it("STREAM-16: entries that do not fit their schema say nothing", async () => {
    const world = createHearing();
    const strange: Said[] = [
      { kind: "stream", body: { of: streamId, at: -1, text: "x" } },
      { kind: "stream", body: { of: streamId, at: 0, bytes: "=" } },
      { kind: "stream", body: { of: streamId } },
      { kind: "stream", body: null },
      { kind: "stream-end", body: { of: streamId } },
    ];
    await world.hear([opening, ...strange, ...partsOf(["a", "", "b"]), await endOf("ab")]);
    const reader = world.read();
    await reader.over;
    expect([reader.end, reader.text, reader.at]).toEqual(["done", "ab", [0, 1]]);
  });
});
