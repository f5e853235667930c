import "fake-indexeddb/auto";
import { createStore, set } from "idb-keyval";
import { describe, expect, test } from "vitest";
import { FlockError, sha256Hex } from "../../src/base/index.ts";
import {
  createInMemoryStore,
  type LayeredStore,
  type LayeredStoreOptions,
  type LocalReferenceStore,
  openIndexedDbStore,
  openLayeredStore,
  type ReferenceChange,
  type ReferenceProblem,
} from "../../src/refstore/index.ts";
import { referenceStoreContract } from "../../src/testing/reference-store-contract.ts";
import { createManualClock, until } from "./manual-clock.ts";
import { createScriptedRemote, silence } from "./scripted-remote.ts";

describe("the contract in layers", () => {
  const open = () => openLayeredStore({ local: createInMemoryStore() });
  for (const { id, title, run } of referenceStoreContract(open)) test(`${id}: ${title}`, run);
});

describe("the contract in layers, with a remote that is out of reach", () => {
  const open = async () => {
    const store = await openLayeredStore({ local: createInMemoryStore(), remote: createScriptedRemote() });
    const absent = (failure: unknown) => {
      throw failure instanceof FlockError && failure.code === "refstore/unavailable"
        ? new FlockError("refstore/not-found", failure.message)
        : failure;
    };
    // Offline, absence is `unavailable` (REF-20): the one difference that this suite may not see.
    return {
      ...store,
      get: (...call: Parameters<LayeredStore["get"]>) => store.get(...call).catch(absent),
      has: (...call: Parameters<LayeredStore["has"]>) =>
        store.has(...call).catch((failure: unknown) => {
          if (failure instanceof FlockError && failure.code === "refstore/unavailable") return false;
          throw failure;
        }),
    };
  };
  for (const { id, title, run } of referenceStoreContract(open)) test(`${id}: ${title}`, run);
});

const filled = (value: number, length = 10) => new Uint8Array(length).fill(value);
const failing = (code: ConstructorParameters<typeof FlockError>[0]) => new FlockError(code, "as scripted");

async function openWorld(options: Partial<LayeredStoreOptions> = {}) {
  const clock = createManualClock();
  const remote = createScriptedRemote();
  const local = options.local ?? createInMemoryStore();
  // Random bytes of 255 make each delay its longest.
  const random = () => Uint8Array.of(255);
  const store = await openLayeredStore({ remote, clock, random, ...options, local });
  const changes: ReferenceChange[] = [];
  const problems: ReferenceProblem[] = [];
  store.onChange((change) => changes.push(change));
  store.onProblem((problem) => problems.push(problem));
  return { clock, remote, local, store, changes, problems };
}

/** An upload's time limit is a timer too: this tells its rest from its attempt. */
const rests = (store: LayeredStore, id: string) => store.state(id)?.state === "local";

let databases = 0;
const freshName = () => `layered-${databases++}`;

describe("REF-18: a put is local first", () => {
  test("it resolves offline, is entered in the ledger, and touches no network", async () => {
    const { store, remote, local } = await openWorld();
    const reference = await store.put(filled(1), { contentType: "text/plain" });
    expect(store.state(reference.id)).toEqual({ here: true, state: "local" });
    expect(store.pending.get()).toBe(1);
    expect(await local.uploads.load()).toEqual([reference]);
    expect(await store.get(reference)).toEqual(filled(1));
    expect(remote.calls).toEqual([]);
  });

  test("upon a connection it is uploaded with its content type and struck out", async () => {
    const { store, remote, local, changes } = await openWorld();
    const { id } = await store.put(filled(1), { contentType: "text/plain" });
    store.connected();
    await until(() => store.pending.get() === 0);
    expect(changes).toEqual([
      { id, here: true, state: "local" },
      { id, here: true, state: "uploading" },
      { id, here: true, state: "remote" },
    ]);
    expect(await local.uploads.load()).toEqual([]);
    expect(await remote.get(id)).toEqual(filled(1));
  });

  test("while connected it is uploaded at once", async () => {
    const { store, remote } = await openWorld();
    store.connected();
    const { id } = await store.put(filled(1));
    await until(() => store.state(id)?.state === "remote");
    expect(remote.calls).toEqual(["put 10"]);
  });

  test("one that local cannot take is refused with the local code, and is not pending", async () => {
    const { store } = await openWorld({ local: createInMemoryStore({ maxBytes: 20 }) });
    await store.put(filled(1, 15));
    await expect(store.put(filled(2, 15))).rejects.toMatchObject({ code: "refstore/quota" });
    await expect(store.put(filled(3, 21))).rejects.toMatchObject({ code: "refstore/too-large" });
    expect(store.pending.get()).toBe(1);
  });
});

describe("REF-19: what the relay lacks is remembered", () => {
  test("across reloads", async () => {
    const name = freshName();
    const before = await openWorld({ local: await openIndexedDbStore(name) });
    const { id } = await before.store.put(filled(1));
    await before.store.close();
    const { store, remote } = await openWorld({ local: await openIndexedDbStore(name) });
    expect(store.state(id)).toEqual({ here: true, state: "local" });
    expect(store.pending.get()).toBe(1);
    store.connected();
    await until(() => store.pending.get() === 0);
    expect(await remote.get(id)).toEqual(filled(1));
    await store.close();
    const third = await openWorld({ local: await openIndexedDbStore(name) });
    expect(third.store.state(id)).toEqual({ here: true, state: "remote" });
    expect(third.store.pending.get()).toBe(0);
    await third.store.close();
  });

  test("when the answer to an upload was lost: it is offered again", async () => {
    const { store, remote, clock } = await openWorld();
    let lost = 1;
    remote.after = () => {
      if (lost-- > 0) throw failing("refstore/unavailable");
    };
    store.connected();
    const { id } = await store.put(filled(1));
    await until(() => rests(store, id));
    clock.runNext();
    await until(() => store.pending.get() === 0);
    expect(remote.calls).toEqual(["put 10", "put 10"]);
  });

  test("by the next tab, when the one that put it is closed", async () => {
    const name = freshName();
    const closing = await openWorld({ local: await openIndexedDbStore(name) });
    const { store, remote } = await openWorld({ local: await openIndexedDbStore(name) });
    const { id } = await closing.store.put(filled(1));
    await closing.store.close();
    store.connected();
    await until(() => store.state(id)?.state === "remote");
    expect(await remote.get(id)).toEqual(filled(1));
    await store.close();
  });
});

describe("REF-20: the network is touched only between connected and disconnected", () => {
  test("absence is refstore/unavailable before, and refstore/not-found while connected", async () => {
    const { store, remote } = await openWorld();
    const id = await sha256Hex(filled(1));
    await expect(store.get(id)).rejects.toMatchObject({ code: "refstore/unavailable" });
    await expect(store.has(id)).rejects.toMatchObject({ code: "refstore/unavailable" });
    expect(remote.calls).toEqual([]);
    store.connected();
    await expect(store.get(id)).rejects.toMatchObject({ code: "refstore/not-found" });
    expect(await store.has(id)).toBe(false);
    store.disconnected();
    await expect(store.get(id)).rejects.toMatchObject({ code: "refstore/unavailable" });
    expect(store.state(id)).toEqual({ here: false, state: "missing" });
  });

  test("disconnected cuts off what is in flight; nothing is tried again before the next connection", async () => {
    const { store, remote, clock } = await openWorld();
    remote.before = (_method, _key, signal) => silence(signal);
    store.connected();
    const { id } = await store.put(filled(1));
    const getting = store.get(await sha256Hex(filled(2)));
    getting.catch(() => undefined);
    await until(() => remote.calls.length === 2);
    store.disconnected();
    await expect(getting).rejects.toMatchObject({ code: "refstore/unavailable" });
    await until(() => store.state(id)?.state === "local");
    expect(clock.delays()).toEqual([]);
    remote.before = () => undefined;
    store.connected();
    await until(() => store.pending.get() === 0);
  });

  test("disconnected ends a rest as well", async () => {
    const { store, remote, clock } = await openWorld();
    remote.before = () => {
      throw failing("refstore/unavailable");
    };
    store.connected();
    const { id } = await store.put(filled(1));
    await until(() => rests(store, id));
    expect(clock.delays()).toEqual([500]);
    store.disconnected();
    expect(clock.delays()).toEqual([]);
  });

  test("a server that never answers is given up in time", async () => {
    const { store, remote, clock, local } = await openWorld();
    remote.before = (_method, _key, signal) => silence(signal);
    store.connected();
    const getting = store.get({ id: "0".repeat(64), size: 320, contentType: "text/plain" });
    getting.catch(() => undefined);
    await until(() => clock.delays().length === 1);
    expect(clock.delays()).toEqual([30_010]);
    clock.runNext();
    await expect(getting).rejects.toMatchObject({ code: "refstore/unavailable" });
    await local.close();
  });
});

describe("REF-21: one upload that fails delays no other", () => {
  test("others pass one that is never answered", async () => {
    const { store, remote } = await openWorld();
    remote.before = (_method, key, signal) => (key === 99 ? silence(signal) : undefined);
    await store.put(filled(0, 99));
    for (let value = 1; value <= 10; value++) await store.put(filled(value));
    store.connected();
    await until(() => store.pending.get() === 1);
    expect(remote.calls).toHaveLength(11);
  });

  test("one that fails is tried again after 0.5 s doubling to 60 s, for ever", async () => {
    const { store, remote, clock } = await openWorld();
    remote.before = (_method, key) => {
      if (key === 99) throw failing("refstore/unavailable");
    };
    const { id } = await store.put(filled(0, 99));
    await store.put(filled(1));
    store.connected();
    const delays: number[] = [];
    while (delays.length < 10) {
      await until(() => rests(store, id) && clock.delays().length === 1 && store.pending.get() === 1);
      delays.push(...clock.delays());
      clock.runNext();
    }
    expect(delays).toEqual([500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000]);
  });

  test("delays are drawn from the upper half", async () => {
    const { store, remote, clock } = await openWorld({ random: () => Uint8Array.of(0) });
    remote.before = () => {
      throw failing("refstore/unavailable");
    };
    store.connected();
    const { id } = await store.put(filled(1));
    await until(() => rests(store, id));
    expect(clock.delays()).toEqual([250]);
  });
});

describe("REF-22: a refused upload is parked and reported", () => {
  test("once, without a timer, and it stays in the ledger", async () => {
    const { store, remote, clock, problems, local } = await openWorld();
    remote.before = () => {
      throw failing("refstore/refused");
    };
    store.connected();
    const { id } = await store.put(filled(1));
    await until(() => problems.length === 1);
    expect(problems).toMatchObject([{ id, error: { code: "refstore/refused" } }]);
    expect(clock.delays()).toEqual([]);
    expect(store.pending.get()).toBe(1);
    expect(store.state(id)).toEqual({ here: true, state: "local" });
    expect(await local.uploads.load()).toHaveLength(1);
  });

  test("it is tried again upon a new connection and upon a put of the same bytes", async () => {
    const { store, remote, problems } = await openWorld();
    remote.before = () => {
      throw failing("refstore/refused");
    };
    store.connected();
    await store.put(filled(1));
    await until(() => problems.length === 1);
    store.disconnected();
    store.connected();
    await until(() => problems.length === 2);
    remote.before = () => undefined;
    await store.put(filled(1));
    await until(() => store.pending.get() === 0);
  });

  test("upon a new connection even where the ledger cannot be read again", async () => {
    const good = createInMemoryStore();
    let isReadable = true;
    const load = () => (isReadable ? good.uploads.load() : Promise.reject(failing("refstore/unavailable")));
    const { store, remote, problems } = await openWorld({
      local: { ...good, uploads: { ...good.uploads, load } },
    });
    remote.before = () => {
      throw failing("refstore/refused");
    };
    store.connected();
    await store.put(filled(1));
    await until(() => problems.length === 1);
    isReadable = false;
    remote.before = () => undefined;
    store.connected();
    await until(() => store.pending.get() === 0);
  });
});

describe("REF-23: a get looks in memory, here, then there, and keeps what it found", () => {
  test("what the remote has is here afterwards, offline too, with the reference's content type", async () => {
    const { store, remote, local } = await openWorld({ inMemoryBytes: 0 });
    const reference = await remote.put(filled(1), { contentType: "text/plain" });
    store.connected();
    expect(await store.get(reference)).toEqual(filled(1));
    store.disconnected();
    expect(await store.get(reference.id)).toEqual(filled(1));
    expect(store.state(reference.id)).toEqual({ here: true, state: "remote" });
    for await (const listed of store.list()) expect(listed).toEqual(reference);
    expect(await store.stats()).toEqual({ count: 1, bytes: 10 });
    expect(await local.uploads.load()).toEqual([]);
    expect(remote.calls).toEqual(["put 10", `get ${reference.id.slice(0, 6)}`]);
  });

  test("the second get of the same bytes is served from memory", async () => {
    const { store, local } = await openWorld();
    const { id } = await store.put(filled(1));
    await local.delete(id);
    expect(await store.get(id)).toEqual(filled(1));
  });

  test("gets at once share one fetch, and no reader sees another's changes", async () => {
    const { store, remote } = await openWorld();
    const { id } = await remote.put(filled(1));
    store.connected();
    const [first, ...rest] = await Promise.all([store.get(id), store.get(id), store.get(id)]);
    first?.fill(0);
    expect(rest).toEqual([filled(1), filled(1)]);
    expect(await store.get(id)).toEqual(filled(1));
    expect(remote.calls).toHaveLength(2);
  });

  test("one who leaves takes nothing from the others; when all have left the fetch is cut off", async () => {
    const { store, remote } = await openWorld();
    const { id } = await remote.put(filled(1));
    let release: () => void = () => undefined;
    let cut = 0;
    remote.before = (_method, _key, signal) =>
      new Promise((resolve, reject) => {
        release = resolve;
        signal?.addEventListener("abort", () => {
          cut++;
          reject(signal.reason);
        });
      });
    store.connected();
    const [leaving, staying] = [new AbortController(), new AbortController()];
    const left = store.get(id, { signal: leaving.signal });
    const stayed = store.get(id, { signal: staying.signal });
    left.catch(() => undefined);
    await until(() => remote.calls.length === 2);
    leaving.abort(new Error("left"));
    await expect(left).rejects.toThrow("left");
    expect(cut).toBe(0);
    release();
    expect(await stayed).toEqual(filled(1));

    const other = store.get("0".repeat(64), { signal: staying.signal });
    other.catch(() => undefined);
    await until(() => remote.calls.length === 3);
    staying.abort(new Error("left as well"));
    await expect(other).rejects.toThrow("left as well");
    await until(() => cut === 1);
  });

  test("a device that is full still hands out what the remote has, and reports", async () => {
    const { store, remote, problems } = await openWorld({
      local: createInMemoryStore({ maxBytes: 15 }),
      inMemoryBytes: 0,
    });
    const { id } = await remote.put(filled(1));
    await store.put(filled(2));
    store.connected();
    remote.before = (method, _key, signal) => (method === "put" ? silence(signal) : undefined);
    expect(await store.get(id)).toEqual(filled(1));
    expect(problems).toMatchObject([{ id, error: { code: "refstore/quota" } }]);
    expect(store.state(id)).toEqual({ here: false, state: "remote" });
  });

  test("a reference that claims more than the cap is refstore/too-large, unasked", async () => {
    const { store, remote } = await openWorld();
    store.connected();
    const claim = { id: "0".repeat(64), size: 32 * 1024 * 1024 + 1, contentType: "text/plain" };
    await expect(store.get(claim)).rejects.toMatchObject({ code: "refstore/too-large" });
    await expect(store.resolve(claim)).rejects.toMatchObject({ code: "refstore/too-large" });
    expect(remote.calls).toEqual([]);
  });
});

describe("REF-24: a copy that decayed is never served", () => {
  async function decayed(options: Partial<LayeredStoreOptions> = {}) {
    const name = freshName();
    const world = await openWorld({ ...options, local: await openIndexedDbStore(name), inMemoryBytes: 0 });
    const decay = (id: string) => set(`bytes/${id}`, filled(66), createStore(name, "references"));
    return { ...world, decay };
  }

  test("it is fetched again, and kept", async () => {
    const { store, decay, problems } = await decayed();
    store.connected();
    const { id } = await store.put(filled(1));
    await until(() => store.pending.get() === 0);
    await decay(id);
    expect(await store.get(id)).toEqual(filled(1));
    expect(problems).toMatchObject([{ id, error: { code: "refstore/corrupt" } }]);
    expect(store.state(id)).toEqual({ here: true, state: "remote" });
    store.disconnected();
    expect(await store.get(id)).toEqual(filled(1));
    await store.close();
  });

  test("where nobody else has it, it is refstore/corrupt, and its upload is given up", async () => {
    const { store, decay, remote, problems, local } = await decayed();
    const { id } = await store.put(filled(1));
    await decay(id);
    await expect(store.get(id)).rejects.toMatchObject({ code: "refstore/corrupt" });
    expect(store.state(id)).toEqual({ here: false, state: "corrupt" });
    expect(store.pending.get()).toBe(0);
    expect(await local.uploads.load()).toEqual([]);
    expect(problems).toHaveLength(1);
    store.connected();
    await expect(store.get(id)).rejects.toMatchObject({ code: "refstore/not-found" });
    expect(store.state(id)).toEqual({ here: false, state: "corrupt" });
    expect(remote.calls.filter((call) => call.startsWith("put"))).toEqual([]);
    await store.put(filled(1));
    await until(() => store.state(id)?.state === "remote");
    await store.close();
  });

  test("the upload notices it as well, and sends nothing", async () => {
    const { store, decay, remote, problems } = await decayed();
    const { id } = await store.put(filled(1));
    await decay(id);
    store.connected();
    await until(() => store.pending.get() === 0);
    expect(remote.calls).toEqual([]);
    expect(problems).toMatchObject([{ id, error: { code: "refstore/corrupt" } }]);
    expect(store.state(id)).toEqual({ here: false, state: "corrupt" });
    await store.close();
  });

  test("one from the remote is not kept", async () => {
    const { store, remote, local } = await openWorld();
    remote.before = (method) => {
      if (method === "get") throw failing("refstore/corrupt");
    };
    const { id } = await remote.put(filled(1));
    store.connected();
    await expect(store.get(id)).rejects.toMatchObject({ code: "refstore/corrupt" });
    expect(store.state(id)).toEqual({ here: false, state: "corrupt" });
    expect(await local.has(id)).toBe(false);
    remote.before = () => undefined;
    expect(await store.get(id)).toEqual(filled(1));
    expect(store.state(id)).toEqual({ here: true, state: "remote" });
  });
});

describe("REF-25: resolve waits until the bytes are to be had", () => {
  test("a put of the same bytes wakes it", async () => {
    const { store, clock } = await openWorld();
    const resolving = store.resolve(await sha256Hex(filled(1)));
    await until(() => clock.delays().length === 1);
    await store.put(filled(1));
    expect(await resolving).toEqual(filled(1));
    expect(clock.delays()).toEqual([]);
  });

  test("a connection wakes it", async () => {
    const { store, remote, clock } = await openWorld();
    const reference = await remote.put(filled(1));
    const resolving = store.resolve(reference);
    await until(() => clock.delays().length === 1);
    store.connected();
    expect(await resolving).toEqual(filled(1));
    expect(clock.delays()).toEqual([]);
  });

  test("a put that comes while a get is still failing is not slept through", async () => {
    const { store, remote } = await openWorld();
    let fail: () => void = () => undefined;
    remote.before = (method) =>
      method === "get"
        ? new Promise((_, reject) => (fail = () => reject(failing("refstore/not-found"))))
        : undefined;
    store.connected();
    const resolving = store.resolve(await sha256Hex(filled(1)));
    await until(() => remote.calls.length === 1);
    await store.put(filled(1));
    await until(() => store.pending.get() === 0);
    fail();
    expect(await resolving).toEqual(filled(1));
    expect(store.state(await sha256Hex(filled(1)))).toEqual({ here: true, state: "remote" });
  });

  test("else it looks again after 0.25 s doubling to 15 s", async () => {
    const { store, remote, clock } = await openWorld();
    store.connected();
    const id = await sha256Hex(filled(1));
    const resolving = store.resolve(id);
    const delays: number[] = [];
    while (delays.length < 9) {
      await until(() => clock.delays().length === 1 && (clock.delays()[0] ?? 0) < 30_000);
      delays.push(...clock.delays());
      if (delays.length === 9) await remote.put(filled(1));
      clock.runNext();
    }
    expect(delays).toEqual([250, 500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000, 15_000]);
    expect(await resolving).toEqual(filled(1));
  });

  test("once woken in vain it looks again soon", async () => {
    const { store, clock } = await openWorld({ remote: createScriptedRemote() });
    const controller = new AbortController();
    const resolving = store.resolve("0".repeat(64), { signal: controller.signal });
    resolving.catch(() => undefined);
    for (const delayMs of [250, 500, 1_000]) {
      await until(() => clock.delays()[0] === delayMs);
      clock.runNext();
    }
    await until(() => clock.delays()[0] === 2_000);
    store.connected();
    await until(() => clock.delays()[0] === 250);
    controller.abort();
  });

  test("it waits through corrupt and unreachable copies, and ends with what no waiting mends", async () => {
    const { store, remote, clock } = await openWorld();
    const codes = [
      "refstore/corrupt",
      "refstore/unavailable",
      "refstore/not-found",
      "refstore/refused",
    ] as const;
    let calls = 0;
    remote.before = () => {
      throw failing(codes[calls++] ?? "refstore/refused");
    };
    store.connected();
    const resolving = store.resolve("0".repeat(64));
    resolving.catch(() => undefined);
    for (const calls of [1, 2, 3]) {
      await until(() => remote.calls.length === calls && clock.delays().length === 1);
      clock.runNext();
    }
    await expect(resolving).rejects.toMatchObject({ code: "refstore/refused" });
  });

  test("an abort and a close end it, and no timer stays", async () => {
    const { store, clock } = await openWorld();
    const controller = new AbortController();
    const aborted = store.resolve("0".repeat(64), { signal: controller.signal });
    const closed = store.resolve("1".repeat(64));
    for (const promise of [aborted, closed]) promise.catch(() => undefined);
    await until(() => clock.delays().length === 2);
    controller.abort(new Error("enough"));
    await expect(aborted).rejects.toThrow("enough");
    await store.close();
    await expect(closed).rejects.toMatchObject({ code: "refstore/closed" });
    await expect(store.resolve("0".repeat(64))).rejects.toMatchObject({ code: "refstore/closed" });
    expect(clock.delays()).toEqual([]);
  });
});

describe("REF-26: above 64 KiB the relay is asked before it is sent", () => {
  test("what it has is not sent again", async () => {
    const { store, remote } = await openWorld();
    const large = filled(1, 64 * 1024 + 1);
    const { id } = await remote.put(large);
    await store.put(large);
    await store.put(filled(2, 64 * 1024));
    store.connected();
    await until(() => store.pending.get() === 0);
    expect(store.state(id)?.state).toBe("remote");
    expect(remote.calls.sort()).toEqual([`has ${id.slice(0, 6)}`, "put 65536", "put 65537"]);
  });

  test("what it has not is sent", async () => {
    const { store, remote } = await openWorld();
    const { id } = await store.put(filled(1, 64 * 1024 + 1));
    store.connected();
    await until(() => store.pending.get() === 0);
    expect(remote.calls).toEqual([`has ${id.slice(0, 6)}`, "put 65537"]);
  });
});

describe("REF-27: a delete is of this device", () => {
  test("it takes the copy and the pending upload, and leaves the relay's", async () => {
    const { store, remote, local } = await openWorld();
    const waiting = await store.put(filled(1));
    expect(await store.delete(waiting.id)).toBe(true);
    expect(store.pending.get()).toBe(0);
    expect(store.state(waiting.id)).toEqual({ here: false, state: "missing" });
    expect(await local.uploads.load()).toEqual([]);
    store.connected();
    const sent = await store.put(filled(2));
    await until(() => store.pending.get() === 0);
    await store.delete(sent.id);
    expect(store.state(sent.id)).toEqual({ here: false, state: "remote" });
    expect(await local.has(sent.id)).toBe(false);
    expect(await store.has(sent.id)).toBe(true);
    expect(await store.get(sent.id)).toEqual(filled(2));
    expect(remote.calls.filter((call) => call === "put 10")).toHaveLength(1);
  });

  test("an upload that missed its bytes takes no later put of them along", async () => {
    const good = createInMemoryStore();
    let release: () => void = () => undefined;
    let reads = 0;
    const local: LocalReferenceStore = {
      ...good,
      async get(reference, options) {
        if (reads++ > 0) return good.get(reference, options);
        await new Promise<void>((resolve) => (release = resolve));
        throw failing("refstore/not-found");
      },
    };
    const { store, remote } = await openWorld({ local, inMemoryBytes: 0 });
    remote.before = (_method, _key, signal) => silence(signal);
    store.connected();
    const { id } = await store.put(filled(1));
    await store.delete(id);
    await store.put(filled(1));
    await until(() => remote.calls.length === 1);
    release();
    for (let turn = 0; turn < 5; turn++) await new Promise((resume) => setImmediate(resume));
    expect(store.pending.get()).toBe(1);
    expect(store.state(id)).toEqual({ here: true, state: "uploading" });
    await store.close();
  });

  test("a fetch that is under way meanwhile keeps nothing", async () => {
    const { store, remote, local } = await openWorld();
    const { id } = await remote.put(filled(1));
    let release: () => void = () => undefined;
    remote.before = () => new Promise((resolve) => (release = resolve));
    store.connected();
    const getting = store.get(id);
    await until(() => remote.calls.length === 2);
    await store.delete(id);
    release();
    expect(await getting).toEqual(filled(1));
    expect(await local.has(id)).toBe(false);
    store.disconnected();
    await expect(store.get(id)).rejects.toMatchObject({ code: "refstore/unavailable" });
  });
});

describe("REF-28: a close leaves nothing behind", () => {
  test("no timer, no call; the stores below are closed", async () => {
    const { store, remote, clock, local } = await openWorld();
    remote.before = (_method, key, signal) => {
      if (key === 10) throw failing("refstore/unavailable");
      return silence(signal);
    };
    store.connected();
    await store.put(filled(1));
    await store.put(filled(2, 20));
    await until(() => clock.delays().length === 2);
    await Promise.all([store.close(), store.close()]);
    expect(clock.delays()).toEqual([]);
    await expect(local.stats()).rejects.toMatchObject({ code: "refstore/closed" });
    remote.before = () => undefined;
    await expect(remote.has("0".repeat(64))).rejects.toMatchObject({ code: "refstore/closed" });
    store.connected();
    store.disconnected();
    expect(clock.delays()).toEqual([]);
  });
});
