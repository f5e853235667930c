import { describe, expect, it } from "vitest";
import { deadLetterWriter } from "../../src/messaging/delivery/dead-letter-writer.ts";
import { redrive } from "../../src/messaging/delivery/redrive.ts";
import { deadLetterKind, type JsonObject } from "../../src/protocol/index.ts";
import { settle } from "../crdt/fake-relay.ts";
import { until } from "../refstore/manual-clock.ts";
import { death, openLetters, publish, say } from "./letters-world.ts";

async function setUp(options: Parameters<typeof openLetters>[0] = {}) {
  const world = await openLetters(options);
  const planner = await world.writer("planner");
  const critic = await world.writer("critic");
  const written = () =>
    world.documents.log
      .pages(critic.id)
      .flatMap(({ entries }) =>
        entries.flatMap(({ kind, body, parents }) =>
          kind === deadLetterKind ? [{ messages: (body as JsonObject)["messages"], parents }] : [],
        ),
      );
  const ids = () => world.deadLetters.list.get().map(({ id }) => id);
  return { ...world, planner, critic, write: deadLetterWriter(critic), written, ids };
}

describe("writing dead letters", () => {
  it("MSG-119: a letter rests on its message and is in the log when it is told to be written", async () => {
    const { planner, write, written } = await setUp();
    const id = await say(planner, { to: "critic" });
    await write(death([id], { outcome: "terminated", reason: "r".repeat(2_000) }));
    expect(written()).toEqual([{ messages: [id], parents: [id] }]);
  });

  it("MSG-119: letters of one turn that say the same share entries, by block", async () => {
    const { planner, write, written } = await setUp();
    const ids: string[] = [];
    for (let index = 0; index < 130; index++) ids.push(await say(planner, { to: "critic" }));
    const expired = (id: string) =>
      write(death([id], { outcome: "expired", reason: "too late", attempts: 0 }));
    await Promise.all([...ids.map(expired), expired(ids[0] as string), write(death([ids[5] as string]))]);
    expect(written().map(({ messages }) => messages)).toEqual([
      ids.slice(0, 64),
      ids.slice(64, 128),
      ids.slice(128),
      [ids[5]],
    ]);
  });

  it("MSG-119: a letter also rests on the redrive that it followed, which counts to its parents", async () => {
    const { planner, write, written } = await setUp();
    const ids: string[] = [];
    for (let index = 0; index < 65; index++) ids.push(await say(planner, { to: "critic" }));
    const [asked = "", ...rest] = ids.reverse();
    await write(death(rest), [asked]);
    expect(written().map(({ messages, parents }) => [(messages as string[]).length, parents.at(-1)])).toEqual(
      [
        [63, asked],
        [1, asked],
      ],
    );
  });
});

describe("the list of dead letters", () => {
  it("MSG-120: it has what was given up, the oldest first, and tells of changes together", async () => {
    const { planner, critic, write, deadLetters, clock } = await setUp();
    const [one, two] = [await say(planner, { to: "critic" }), await say(planner, { to: "critic" })];
    await write(death([two]));
    await deadLetters.ready();
    const told: number[] = [];
    deadLetters.list.subscribe((list) => told.push(list.length));
    expect(deadLetters.list.get()).toEqual([
      {
        id: two,
        agent: "anon.critic",
        consumer: "work",
        outcome: "exhausted",
        reason: "it threw",
        attempts: 5,
        at: expect.any(Number),
        by: critic.id,
      },
    ]);
    clock.advance(5);
    await write(death([one]));
    await write(death([one], { consumer: "other" }));
    expect(told).toEqual([]);
    clock.advance(20);
    expect(told).toEqual([3]);
    expect(deadLetters.list.get().map(({ id }) => id)).toEqual([two, one, one]);
    expect(deadLetters.list.get()).toBe(deadLetters.list.get());
  });

  it("MSG-120: nothing is folded before somebody asks, nor after the close", async () => {
    const { planner, write, documents, deadLetters, close, ids } = await setUp();
    let opened = 0;
    const { open } = documents.views;
    documents.views.open = (...given) => {
      opened++;
      return open(...given);
    };
    await write(death([await say(planner, { to: "critic" })]));
    await settle();
    expect(opened).toBe(0);
    ids();
    await deadLetters.ready();
    expect([ids().length, opened]).toEqual([1, 1]);
    await close();
    expect(ids()).toHaveLength(1);
    await expect(deadLetters.ready()).resolves.toBeUndefined();
  });

  it("MSG-121: letters outlast their pages, and opening again folds them from the snapshot", async () => {
    const first = await setUp({ limits: { pageEntries: 8, liveEntries: 8 } });
    const ids: string[] = [];
    for (let index = 0; index < 40; index++) {
      const id = await say(first.planner, { to: "critic" });
      ids.push(id);
      await first.write(death([id]));
    }
    await first.deadLetters.ready();
    expect([...first.ids()].sort()).toEqual([...ids].sort());
    const { documents } = first;
    for (let turns = 0; turns < 200 && documents.log.size >= 80; turns++) {
      first.clock.advance(1_000);
      await settle();
    }
    expect(documents.log.size).toBeLessThan(80);
    await first.close();
    let reads = 0;
    const get: typeof first.pages.get = (...asked) => {
      reads++;
      return first.pages.get(...asked);
    };
    const { persistence, clock } = first;
    const second = await openLetters({ persistence, clock, pages: { ...first.pages, get } });
    await second.deadLetters.ready();
    expect(
      second.deadLetters.list
        .get()
        .map(({ id }) => id)
        .sort(),
    ).toEqual([...ids].sort());
    expect(reads).toBe(0);
  });
});

describe("redriving", () => {
  async function setUpDead() {
    const world = await setUp();
    const id = await say(world.planner, { to: "critic" });
    publish(world.critic, "work");
    await world.write(death([id]));
    const name = { id, agent: "anon.critic", consumer: "work" };
    const { planner: writer, deadLetters } = world;
    return {
      ...world,
      id,
      name,
      ask: (over: object = {}) => redrive({ ...name, ...over }, { writer, deadLetters }),
    };
  }

  it("MSG-122: a redrive is an entry that rests on the message and its letter", async () => {
    const { documents, deadLetters, name, ask, ids, clock } = await setUpDead();
    const letter = () => deadLetters.find(name);
    await deadLetters.ready();
    expect(ids()).toEqual([name.id]);
    const died = letter()?.entry;
    const sent = await ask({ extra: "is left out" });
    await sent.settled("local");
    expect(documents.log.get(sent.id)).toMatchObject({
      kind: "redrive",
      parents: [name.id, died],
      body: { message: name.id, agent: "anon.critic", consumer: "work" },
    });
    expect(letter()?.redrive?.entry).toBe(sent.id);
    clock.advance(20);
    expect(ids()).toEqual([]);
  });

  it("MSG-122: only what that consumer gave up, and nobody asked for yet, is redriven", async () => {
    const { ask, documents, planner } = await setUpDead();
    for (const wrong of [
      { consumer: "other" },
      { agent: "anon.planner" },
      { id: `${planner.id}/0-1/9` },
      { id: "7" },
    ]) {
      await expect(ask(wrong)).rejects.toMatchObject({ code: "messaging/not-dead", details: wrong });
    }
    await ask();
    const { size } = documents.log;
    await expect(ask()).rejects.toMatchObject({ code: "messaging/not-dead" });
    expect(documents.log.size).toBe(size);
  });

  it("MSG-122: a letter that is not read yet is waited for, as long as the signal says", async () => {
    const { name, planner: writer, deadLetters } = await setUpDead();
    let arrive = (): void => {};
    const later: typeof deadLetters = {
      ...deadLetters,
      find: (each) => (hasCome ? deadLetters.find(each) : undefined),
      ready: () =>
        new Promise((resolve) => {
          arrive = resolve;
        }),
    };
    let hasCome = false;
    const gone = new AbortController();
    const given = redrive(name, { writer, deadLetters: later, signal: gone.signal });
    gone.abort(new Error("gone"));
    await expect(given).rejects.toThrow("gone");
    const waited = redrive(name, { writer, deadLetters: later });
    await until(() => arrive !== undefined);
    hasCome = true;
    arrive();
    await expect(waited).resolves.toMatchObject({ id: expect.any(String) });
  });
});
