import "fake-indexeddb/auto";
import { describe, expect, test } from "vitest";
import { equalBytes, FlockError, sha256Hex } from "../../src/base/index.ts";
import {
  createInMemoryStore,
  type LayeredStore,
  type LocalReferenceStore,
  openIndexedDbStore,
  openLayeredStore,
  type Reference,
} from "../../src/refstore/index.ts";
import { createManualClock, until } from "./manual-clock.ts";
import { createScriptedRemote, silence } from "./scripted-remote.ts";

/** Marsaglia's xorshift: numbers from 0 up to 1, the same ones for the same seed. */
function createDice(seed: number) {
  let state = (seed + 1) * 0x9e3779b1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

/** A process's hold on its disk: once it has crashed, no call begins and none that had begun returns. */
function createProcess(disk: LocalReferenceStore) {
  let isDead = false;
  const never = new Promise<never>(() => undefined);
  const begun = new Set<Promise<unknown>>();
  async function alive<T>(call: () => Promise<T>): Promise<T> {
    if (isDead) return never;
    const calling = call();
    begun.add(calling);
    try {
      return await calling;
    } finally {
      begun.delete(calling);
      if (isDead) await never;
    }
  }
  const local: LocalReferenceStore = {
    put: (bytes, options) => alive(() => disk.put(bytes, options)),
    get: (reference, options) => alive(() => disk.get(reference, options)),
    has: (id, options) => alive(() => disk.has(id, options)),
    delete: (id, options) => alive(() => disk.delete(id, options)),
    list: () => disk.list(),
    stats: () => alive(() => disk.stats()),
    uploads: {
      load: () => alive(() => disk.uploads.load()),
      remove: (id) => alive(() => disk.uploads.remove(id)),
    },
    close: async () => undefined,
  };
  return {
    local,
    /** Resolves once the disk has done what it was told before. */
    async crash(): Promise<void> {
      isDead = true;
      await Promise.allSettled(begun);
    },
  };
}

const contents = Array.from({ length: 12 }, (_, index) =>
  new Uint8Array(index === 11 ? 70_000 : index * 9).fill(index),
);
const steps = 60;

/** Plays one life of a device against a bad network; rejects where a promise of REF-29 is broken. */
async function play(seed: number, disk: LocalReferenceStore): Promise<void> {
  const roll = createDice(seed);
  const pick = () => Math.floor(roll() * contents.length);
  const content = (index: number) => contents[index] ?? new Uint8Array();
  const clock = createManualClock();
  const remote = createScriptedRemote();
  const check = (holds: boolean, what: string) => {
    if (!holds) throw new Error(`Seed ${seed}: ${what}.`);
  };
  /** By index: what was put and not deleted since. */
  const kept = new Map<number, Reference>();
  let isOnline = false;
  let isFaulty = true;
  let strayCalls = 0;

  remote.before = async (_method, _key, signal) => {
    if (!isOnline) strayCalls++;
    if (!isFaulty) return;
    const fate = roll();
    if (fate < 0.15) throw new FlockError("refstore/unavailable", "as rolled");
    if (fate < 0.2) throw new FlockError("refstore/refused", "as rolled");
    if (fate < 0.25) await silence(signal);
  };
  remote.after = () => {
    if (isFaulty && roll() < 0.1) throw new FlockError("refstore/unavailable", "the answer was lost");
  };

  let process = createProcess(disk);
  const open = () =>
    openLayeredStore({
      local: process.local,
      remote,
      inMemoryBytes: roll() < 0.5 ? 0 : 100_000,
      clock,
      random: (length) => new Uint8Array(length).map(() => roll() * 256),
    });
  let store: LayeredStore = await open();

  async function reload(): Promise<void> {
    await process.crash();
    // The network of a dead process dies with it.
    store.disconnected();
    isOnline = false;
    process = createProcess(disk);
    store = await open();
  }

  async function checkHere(index: number, reference: Reference): Promise<void> {
    const bytes = await store.get(reference).catch(() => undefined);
    check(bytes !== undefined && equalBytes(bytes, content(index)), `content ${index} is lost here`);
  }

  async function step(): Promise<void> {
    const index = pick();
    const what = roll();
    if (what < 0.3) {
      kept.set(index, await store.put(content(index)));
    } else if (what < 0.55) {
      const known = kept.get(index);
      if (known) await checkHere(index, known);
    } else if (what < 0.62) {
      const known = kept.get(index);
      kept.delete(index);
      if (known) await store.delete(known.id);
    } else if (what < 0.74) {
      isOnline = true;
      store.connected();
    } else if (what < 0.82) {
      store.disconnected();
      isOnline = false;
    } else if (what < 0.9) {
      clock.runNext();
    } else {
      if (roll() < 0.5) void store.put(content(index));
      if (roll() < 0.5) await new Promise((resume) => setImmediate(resume));
      await reload();
    }
  }

  for (let count = 0; count < steps; count++) await step();
  for (const [index, reference] of kept) await checkHere(index, reference);
  await reload();
  isFaulty = false;
  isOnline = true;
  store.connected();
  const ids = await Promise.all(contents.map(sha256Hex));
  const isSending = () => ids.some((id) => store.state(id)?.state === "uploading");
  await until(() => {
    // Only rests are cut short: a time limit that runs out at once would fail every upload.
    if (!isSending()) clock.runNext();
    return store.pending.get() === 0;
  }, `seed ${seed}'s uploads`);
  for (const [index, reference] of kept) {
    const arrived = await remote.get(reference).catch(() => undefined);
    check(
      arrived !== undefined && equalBytes(arrived, content(index)),
      `content ${index} is not at the relay`,
    );
    check(store.state(reference.id)?.state === "remote", `content ${index} is not known to be at the relay`);
  }
  check((await disk.uploads.load()).length === 0, "the ledger is not empty");
  check(strayCalls === 0, `${strayCalls} calls were made while disconnected`);
  await store.close();
}

const inMemoryDisk = () => createInMemoryStore({ maxBytes: Number.POSITIVE_INFINITY });

describe("REF-29: what was put stays here, and reaches the relay, whatever the network and crashes do", () => {
  test("200 lives on a disk in memory", async () => {
    for (let seed = 0; seed < 200; seed++) await play(seed, inMemoryDisk());
  });

  test("40 lives on IndexedDB", async () => {
    for (let seed = 1_000; seed < 1_040; seed++) {
      const disk = await openIndexedDbStore(`life-${seed}`);
      await play(seed, disk);
      await disk.close();
    }
  });

  test("negative control: a ledger that forgets is found out", async () => {
    await expect(lives(() => ({ ...inMemoryDisk(), uploads: forgetful }))).rejects.toThrow(
      "not at the relay",
    );
  });

  test("negative control: a disk that loses one put in ten is found out", async () => {
    await expect(
      lives((seed) => {
        const disk = inMemoryDisk();
        const roll = createDice(seed);
        return {
          ...disk,
          put: async (bytes, options) => {
            const reference = await disk.put(bytes, options);
            if (roll() < 0.1) await disk.delete(reference.id);
            return reference;
          },
        };
      }),
    ).rejects.toThrow("is lost here");
  });
});

const forgetful = { load: async () => [], remove: async () => undefined };

async function lives(open: (seed: number) => LocalReferenceStore): Promise<void> {
  for (let seed = 0; seed < 20; seed++) await play(seed, open(seed));
}
