import { describe, expect, it } from "vitest";
import * as Y from "yjs";
import type { FlockError } from "../../../src/base/index.ts";
import {
  createInMemoryPersistence,
  createStorageHealth,
  type DatabaseOptions,
  type Persistence,
  type StorageFailure,
  storageFailed,
  storageFailureOf,
} from "../../../src/crdt/index.ts";
import { watchPersistence } from "../../../src/crdt/persistence/health.ts";
import { retryWhileFailed } from "../../../src/crdt/persistence/retry.ts";
import { createManualClock, until } from "../../refstore/manual-clock.ts";

/** A durable persistence whose writes fail by name, for a reason. */
function setUp() {
  const failing = new Map<string, StorageFailure>();
  const events = new Map<string, DatabaseOptions>();
  const memory = createInMemoryPersistence();
  const assertWell = (name: string): void => {
    const reason = failing.get(name);
    if (reason) throw storageFailed(`write ${name}`, reason);
  };
  const faulty: Persistence = {
    ...memory,
    durable: true,
    async open(name, options = {}) {
      events.set(name, options);
      const store = await memory.open(name);
      return {
        ...store,
        async write(change) {
          assertWell(name);
          await store.write(change);
        },
      };
    },
    attach(name, document, options = {}) {
      events.set(name, options);
      const store = memory.attach(name, document);
      return {
        ...store,
        async confirm() {
          assertWell(name);
          await store.confirm();
        },
      };
    },
  };
  const health = createStorageHealth(faulty);
  const problems: [string | undefined, string][] = [];
  health.problems.on((error: FlockError) => problems.push([storageFailureOf(error), error.message]));
  return { failing, events, health, problems, persistence: watchPersistence(faulty, health) };
}

const change = { put: [["key", 1] as const] };

describe("the health of storage", () => {
  it("STORE-32: is failed while any store has failed, and ready once each has written again", async () => {
    const { failing, health, persistence } = setUp();
    const [a, b] = [await persistence.open("a"), await persistence.open("b")];
    failing.set("a", "quota").set("b", "aborted");
    await expect(a.write(change)).rejects.toMatchObject({ details: { reason: "quota" } });
    await expect(b.write(change)).rejects.toMatchObject({ details: { reason: "aborted" } });
    failing.clear();
    await a.write(change);
    expect(health.state.get()).toBe("failed");
    await b.write(change);
    expect(health.state.get()).toBe("ready");
  });

  it("STORE-32: a read that succeeds heals nothing, a store that closes is no concern any more", async () => {
    const { failing, health, persistence } = setUp();
    const store = await persistence.open("a");
    failing.set("a", "quota");
    await expect(store.write(change)).rejects.toBeDefined();
    await store.get("key");
    expect(health.state.get()).toBe("failed");
    await store.close();
    expect(health.state.get()).toBe("ready");
    await expect(store.get("key")).rejects.toMatchObject({ details: { reason: "closed" } });
    expect(health.state.get()).toBe("ready");
  });

  it("STORE-32: a failure is told once, and again for another reason", async () => {
    const { failing, problems, persistence } = setUp();
    const store = await persistence.open("a");
    for (const reason of ["quota", "quota", "aborted"] as const) {
      failing.set("a", reason);
      await expect(store.write(change)).rejects.toBeDefined();
    }
    expect(problems.map(([reason]) => reason)).toEqual(["quota", "aborted"]);
  });

  it("STORE-32: what happens in the background counts, of shared documents too", async () => {
    const { events, health, problems, persistence } = setUp();
    const shared = persistence.attach("shared", new Y.Doc());
    await shared.loaded;
    events.get("shared")?.onFailed?.(storageFailed("write shared", "quota"));
    expect(health.state.get()).toBe("failed");
    events.get("shared")?.onWritten?.();
    expect([health.state.get(), problems.length]).toEqual(["ready", 1]);
    await shared.close();
  });

  it("STORE-32: what is in memory only is never ready, but may fail", async () => {
    const health = createStorageHealth({ durable: false });
    expect(health.state.get()).toBe("memory-only");
    health.failed("a", new Error("odd"));
    expect(health.state.get()).toBe("failed");
    health.wrote("a");
    expect(health.state.get()).toBe("memory-only");
  });

  it("STORE-32: while it is failed what is left is tried again, later and later, until it succeeds", async () => {
    const { failing, health, persistence } = setUp();
    const clock = createManualClock();
    const store = await persistence.open("a");
    let attempts = 0;
    const stop = retryWhileFailed(health, {
      clock,
      random: (length) => new Uint8Array(length).fill(255),
      async write() {
        attempts++;
        await store.write(change);
      },
    });
    expect(clock.delays()).toEqual([]);
    failing.set("a", "quota");
    await expect(store.write(change)).rejects.toBeDefined();
    const delays: number[] = [];
    for (let count = 1; count <= 8; count++) {
      delays.push(...clock.delays());
      clock.runNext();
      await until(() => attempts === count && clock.delays().length === 1);
    }
    expect(delays).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]);
    failing.clear();
    clock.runNext();
    await until(() => health.state.get() === "ready");
    expect(clock.delays()).toEqual([]);
    stop();
  });

  it("STORE-32: no more is tried once that was stopped", async () => {
    const { health } = setUp();
    const clock = createManualClock();
    const stop = retryWhileFailed(health, {
      clock,
      random: (length) => new Uint8Array(length),
      write: () => Promise.reject(new Error("never")),
    });
    health.failed("a", new Error("odd"));
    expect(clock.delays().length).toBe(1);
    stop();
    expect(clock.delays()).toEqual([]);
  });
});
