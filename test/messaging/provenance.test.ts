import { describe, expect, it } from "vitest";
import { FlockError } from "../../src/base/index.ts";
import type { Documents } from "../../src/crdt/index.ts";
import { readProvenance } from "../../src/messaging/index.ts";
import { createScriptedPages } from "../crdt/history-lane.ts";
import { createReplica, idOf, type Said, type WorldLane, writeLane } from "../crdt/views-world.ts";

const scout = "alice.scout.AAAAAAAAAAA";
const writer = "alice.writer.BBBBBBBBBBB";

const message = (clock: number, fields: object = {}, parents: readonly string[] = []): Said => ({
  clock: clock * 1_024,
  kind: "message",
  parents,
  body: { type: "LOG", topic: "finds", content: clock, schemaVersion: "1.0", ...fields },
});

/** A room in which so many pages of each lane are sealed. */
async function setUp(lanes: Readonly<Record<string, readonly (readonly Said[])[]>>, sealed = 0) {
  const pages = createScriptedPages();
  const replica = createReplica(pages);
  const written: WorldLane[] = [];
  for (const [name, said] of Object.entries(lanes)) {
    const lane = await writeLane(pages, name, said);
    written.push(lane);
    for (const number of said.keys()) replica.deliver(lane, number);
    if (sealed > 0) replica.mark(lane, sealed);
    for (let number = 0; number < sealed; number++) replica.release(lane, number);
  }
  const documents = { history: replica.lanes.history } as Documents;
  const read = async (id: string, options?: Parameters<typeof readProvenance>[2]) => {
    const found = await readProvenance(documents, id, options);
    return found && { ...found, message: found.message.id, sources: found.sources.map((each) => each.id) };
  };
  return { pages, replica, read, lanes: written };
}

describe("provenance", () => {
  it.each([
    ["live", 0],
    ["sealed", 2],
  ])(
    "MSG-89: it has the messages that one was made from, the nearest first, with the labels of all: %s",
    async (_, sealed) => {
      const { read } = await setUp(
        {
          [scout]: [
            [message(1, { labels: ["web"] }), message(2, { labels: ["pii"] })],
            [message(3, { parent: idOf(scout, 0, 0) })],
            [message(9)],
          ],
          [writer]: [
            [message(4)],
            [message(5, { sources: [idOf(scout, 1, 0), idOf(scout, 0, 1)] })],
            [message(9)],
          ],
        },
        sealed,
      );
      expect(await read(idOf(writer, 1, 0))).toEqual({
        message: idOf(writer, 1, 0),
        labels: ["pii", "web"],
        sources: [idOf(scout, 1, 0), idOf(scout, 0, 1), idOf(scout, 0, 0)],
        missing: [],
        isWhole: true,
      });
      expect(await read(idOf(writer, 0, 0))).toMatchObject({ labels: [], sources: [], isWhole: true });
    },
  );

  it("MSG-89: a sender between that passes no labels on, or names its sources in one place only, hides nothing", async () => {
    const { read } = await setUp({
      [scout]: [[message(1, { labels: ["web"] }), message(2, { labels: ["pii"] })]],
      [writer]: [
        [
          message(3, { parent: idOf(scout, 0, 0) }),
          message(4, {}, [idOf(writer, 0, 0), idOf(scout, 0, 1)]),
          message(5, { sources: [idOf(writer, 0, 1)], labels: ["own"] }),
        ],
      ],
    });
    expect((await read(idOf(writer, 0, 2)))?.labels.toSorted()).toEqual(["own", "pii", "web"]);
  });

  it("MSG-89: it goes on through entries that are no messages", async () => {
    const { read } = await setUp({
      [scout]: [[message(1, { labels: ["web"] })]],
      [writer]: [
        [
          { clock: 2_048, kind: "progress", body: {}, parents: [idOf(scout, 0, 0)] },
          message(3, { sources: [idOf(writer, 0, 0)] }),
        ],
      ],
    });
    expect(await read(idOf(writer, 0, 1))).toMatchObject({ labels: ["web"], sources: [idOf(scout, 0, 0)] });
    expect(await read(idOf(writer, 0, 0))).toBeUndefined();
    expect(await read(idOf(writer, 7, 7))).toBeUndefined();
    expect(await read("ticket 7")).toBeUndefined();
  });

  it("MSG-89: what retention took, or never was, is told as missing", async () => {
    const { read, replica, lanes } = await setUp(
      {
        [scout]: [
          [message(1, { labels: ["web"] })],
          [message(2, { parent: idOf(scout, 0, 0) })],
          [message(9)],
        ],
        [writer]: [
          [message(3, { parent: idOf(scout, 1, 0), sources: [idOf(scout, 8, 0)] })],
          [message(9)],
          [message(9)],
        ],
      },
      1,
    );
    replica.mark(lanes[0] as WorldLane, 1, { first: 1 });
    expect(await read(idOf(writer, 0, 0))).toEqual({
      message: idOf(writer, 0, 0),
      labels: [],
      sources: [idOf(scout, 1, 0)],
      missing: [idOf(scout, 8, 0), idOf(scout, 0, 0)],
      isWhole: true,
    });
  });

  it("MSG-89: what is out of reach is no missing source: that is told", async () => {
    const { read, pages } = await setUp(
      {
        [scout]: [[message(1)], [message(9)]],
        [writer]: [[message(2)], [message(3, { parent: idOf(scout, 0, 0) })]],
      },
      1,
    );
    pages.isOffline = true;
    await expect(read(idOf(writer, 1, 0))).rejects.toMatchObject({ code: "refstore/unavailable" });
    const reason = new FlockError("room/closed", "closed");
    await expect(read(idOf(writer, 1, 0), { signal: AbortSignal.abort(reason) })).rejects.toThrow();
  });

  it("MSG-89: entries that name each other, or themselves, end the search", async () => {
    const { read } = await setUp({
      [scout]: [
        [
          message(1, { parent: idOf(scout, 0, 1), labels: ["a"] }),
          message(2, { parent: idOf(scout, 0, 0), labels: ["b"] }),
          message(3, { sources: [idOf(scout, 0, 2)] }),
        ],
      ],
    });
    expect(await read(idOf(scout, 0, 0))).toMatchObject({ sources: [idOf(scout, 0, 1)], labels: ["a", "b"] });
    expect(await read(idOf(scout, 0, 2))).toMatchObject({ sources: [], isWhole: true });
  });

  it("MSG-89: it says where depth, or the number of entries, ended the search", async () => {
    const chain = Array.from({ length: 70 }, (_, at) =>
      message(at + 1, {
        ...(at > 0 && { parent: idOf(scout, 0, at - 1) }),
        ...(at === 0 && { labels: ["web"] }),
      }),
    );
    const { read } = await setUp({ [scout]: [chain] });
    expect(await read(idOf(scout, 0, 69))).toMatchObject({ labels: [], isWhole: false });
    expect((await read(idOf(scout, 0, 69)))?.sources).toHaveLength(64);
    expect(await read(idOf(scout, 0, 69), { depth: 69 })).toMatchObject({ labels: ["web"], isWhole: true });
    expect(await read(idOf(scout, 0, 3), { depth: 0 })).toMatchObject({ sources: [], isWhole: false });
  });
});
