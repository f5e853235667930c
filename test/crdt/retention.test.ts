import { describe, expect, it } from "vitest";
import { timestampFromMs } from "../../src/base/index.ts";
import { firstKept } from "../../src/crdt/sealing/expiry.ts";
import type { Seal } from "../../src/crdt/sealing/seal-book.ts";
import { createWorld, eventually, heads, rest, untilSealed } from "./sealing-world.ts";

const hourMs = 3_600_000;

describe("what retention keeps", () => {
  const seal = (number: number, { bytes = 10, newestMs = number } = {}): Seal => ({
    page: { number, client: 1 },
    length: 1,
    hash: "",
    bytes,
    newest: timestampFromMs(newestMs),
  });
  const book = (seals: readonly Seal[]) => ({
    get: (number: number) => seals.find(({ page }) => page.number === number),
  });
  const forever = { historyMs: Number.POSITIVE_INFINITY, historyBytes: Number.POSITIVE_INFINITY };
  const seals = book([0, 1, 2, 3].map((number) => seal(number)));
  const kept = (retention: Partial<typeof forever>, { first = 0, low = 4, nowMs = 10, of = seals } = {}) =>
    firstKept({ first, low }, of, { ...forever, ...retention }, nowMs);

  it("RET-1: nothing goes by default, and nothing that is not sealed ever", () => {
    expect([kept({}), kept({ historyMs: 0 }), kept({ historyBytes: 0 })]).toEqual([0, 4, 4]);
    expect(kept({ historyMs: 0, historyBytes: 0 }, { low: 2 })).toBe(2);
  });

  it("RET-1: pages go while they are older, or all of them together larger, than is kept", () => {
    expect([6, 7, 8, 9, 10].map((historyMs) => kept({ historyMs }))).toEqual([4, 3, 2, 1, 0]);
    expect([9, 10, 19, 20, 39, 40].map((historyBytes) => kept({ historyBytes }))).toEqual([4, 3, 3, 2, 1, 0]);
    expect(kept({ historyBytes: 20 }, { first: 1 })).toBe(2);
  });

  it("RET-1: an old page behind a young one stays, and one that is not known goes with the next that goes", () => {
    const young = book([seal(0, { newestMs: 9 }), seal(1), seal(2)]);
    expect(kept({ historyMs: 5 }, { of: young, low: 3 })).toBe(0);
    const torn = book([seal(0), seal(2), seal(3)]);
    expect([kept({ historyMs: 8 }, { of: torn }), kept({ historyMs: 7 }, { of: torn })]).toEqual([1, 3]);
  });
});

describe("retention", () => {
  it("RET-2: the oldest sealed pages go where all together are past the bytes that are kept", async () => {
    const world = createWorld();
    const { write, writer, look } = await world.open({ retention: { historyBytes: 450_000 } });
    await write(heads(15));
    look();
    await untilSealed(world, 6);
    await eventually(() => world.relay.seals.size === 2);
    expect([world.marks()?.first, world.device.size, world.readable()]).toEqual([4, 2, heads(7, 8)]);
    expect(world.lost).toEqual([]);
    await writer.close();
  });

  it("RET-2: sealed pages go once they are older than what is kept, and pages that are live stay", async () => {
    const world = createWorld();
    const { write, writer, look, clock } = await world.open({ retention: { historyMs: 2 * hourMs } });
    await write(heads(12));
    look();
    await untilSealed(world, 4);
    expect([world.marks()?.first, world.relay.seals.size]).toEqual([0, 4]);
    for (let hour = 0; hour < 3; hour++) clock.advance(hourMs);
    await eventually(() => world.relay.seals.size === 0);
    expect(world.marks()).toMatchObject({ low: 4, first: 4, head: { length: 2 } });
    expect(world.readable()).toEqual(heads(4, 8));
    expect((await world.databaseKeys()).some((key) => key.startsWith("seals/"))).toBe(true);
    await write(heads(2, 12));
    look();
    await untilSealed(world, 5);
    // What the next page holds was old before it was sealed.
    expect([world.marks()?.first, world.readable()]).toEqual([5, heads(4, 10)]);
    await writer.close();
  });

  it("RET-3: what can't be deleted now is deleted upon a later join, in another session too", async () => {
    const world = createWorld();
    world.relay.failsDeletions = "refstore/unavailable";
    const first = await world.open({ retention: { historyBytes: 0 } });
    await first.write(heads(12));
    first.look();
    await untilSealed(world, 4);
    await eventually(() => world.marks()?.first === 4);
    await rest(world);
    expect([world.relay.seals.size, first.problems]).toEqual([4, []]);
    await first.writer.close();
    const second = await world.open();
    await rest(world);
    expect(world.relay.seals.size).toBe(4);
    world.relay.failsDeletions = undefined;
    second.go("online");
    await eventually(() => world.relay.seals.size === 0);
    await second.writer.close();
  });

  it("RET-3: a deletion that is refused is told once and not asked for again in this session", async () => {
    const world = createWorld();
    world.relay.failsDeletions = "refstore/refused";
    const { write, writer, look, problems, go } = await world.open({ retention: { historyBytes: 0 } });
    await write(heads(12));
    look();
    await eventually(() => problems.length > 0);
    await untilSealed(world, 4);
    go("online");
    await rest(world);
    expect([problems.map(({ code }) => code), world.relay.seals.size]).toEqual([["refstore/refused"], 4]);
    await writer.close();
  });

  it("RET-4: a page past retention is still the writer's own", async () => {
    const world = createWorld();
    const { write, writer, look } = await world.open({ retention: { historyBytes: 0 } });
    await write(["0"]);
    const [, own] = [...writer.documents()].map(([name]) => name);
    await write(heads(11, 1));
    look();
    await untilSealed(world, 4);
    await eventually(() => world.relay.seals.size === 0);
    expect([own?.startsWith("lane/"), writer.owns(own as string)]).toEqual([true, true]);
    await writer.close();
  });

  it("RET-5: a crash after any durable step tells every reader before anything is gone", async () => {
    const retention = { historyBytes: 250_000 };
    async function survive(diesAfter: number, lies?: "register") {
      const world = createWorld();
      world.relay.lies = lies;
      const first = await world.open({ diesAfter, retention });
      await first.write(heads(14));
      first.look();
      await eventually(() => first.isDead() || (world.marks()?.first === 4 && world.relay.seals.size === 1));
      const steps = world.steps;
      if (!first.isDead()) await first.close();
      const second = await world.open({ retention });
      const known = new Set([...world.readable(), ...second.bodies()]);
      const { first: past = 0 } = world.marks() ?? {};
      await second.write(heads(14).filter((head) => !known.has(head) && Number(head) >= 2 * past));
      second.look();
      await eventually(async () => world.relay.seals.size === 1 && world.device.size === 1, `${diesAfter}`);
      await rest(world);
      await second.writer.close();
      return { world, steps };
    }
    const { world, steps } = await survive(Number.POSITIVE_INFINITY);
    expect(world.lost).toEqual([]);
    // The steps before are of appending, which SEAL-10 has.
    for (let step = 20; step <= steps; step++) {
      const { world: after } = await survive(step);
      expect({ step, lost: after.lost }).toEqual({ step, lost: [] });
    }
    const { world: liar } = await survive(Number.POSITIVE_INFINITY, "register");
    expect(liar.lost.length).toBeGreaterThan(0);
  }, 60_000);
});
