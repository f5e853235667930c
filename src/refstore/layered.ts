import {
  abortable,
  backoffMs,
  type Clock,
  createEmitter,
  FlockError,
  isFlockError,
  type RandomBytes,
  type Store,
  systemClock,
  systemRandom,
  type Undo,
} from "../base/index.ts";
import { maxReferenceBytes, type Reference, sealContentType } from "../protocol/index.ts";
import { createByteCache } from "./byte-cache.ts";
import { createFlights, type Flight } from "./flights.ts";
import { createLink } from "./link.ts";
import type { LocalReferenceStore, ReferenceStore, StoreStats, WaitOptions } from "./port.ts";
import { assertSize, closed, defaultContentType, notFound, referenceId } from "./reference.ts";
import { createReferenceStates, type ReferenceChange, type ReferenceStatus } from "./states.ts";
import { createUploadQueue, type UploadStage } from "./upload-queue.ts";

/** Above this size asking whether the relay has the bytes costs less than sending them in vain. */
const probeBytes = 64 * 1024;
const resolveBackoff = { firstMs: 250, maxMs: 15_000 };

/** Something about one reference that only the application or its user can put right. */
export interface ReferenceProblem {
  readonly id: string;
  readonly error: FlockError;
}

/** References in memory, on this device and at the relay, as one store that works without the network. */
export interface LayeredStore extends ReferenceStore {
  /**
   * As `get`, but waits where the bytes are not to be had yet: tries again after 0.25 s, doubling to 15 s, and at once
   * upon a new connection or a put of the same bytes.
   *
   * @throws what no waiting mends (`refstore/refused`, `refstore/too-large`, `refstore/invalid-id`,
   * `refstore/closed`), and the signal's reason.
   */
  resolve(reference: Reference | string, options?: WaitOptions): Promise<Uint8Array>;
  /** Every reference on this device. */
  list(): AsyncIterable<Reference>;
  /** How much is on this device. */
  stats(): Promise<StoreStats>;
  /** Where a reference is; undefined where this store has not met it. */
  state(id: string): ReferenceStatus | undefined;
  onChange(listener: (change: ReferenceChange) => void): Undo;
  /** Tells of uploads that were refused, copies that decayed, and bytes that could not be kept here. */
  onProblem(listener: (problem: ReferenceProblem) => void): Undo;
  /** How many references are yet to reach the relay, refused ones included. */
  readonly pending: Store<number>;
  /** Says that the relay can be reached anew: uploads begin, refused ones included, and whoever waits looks again. */
  connected(): void;
  /** Says that it cannot: calls in flight are cut off, and no more are made. */
  disconnected(): void;
}

export interface LayeredStoreOptions {
  /** What makes a put durable. Where the browser offers no storage, an in-memory store. */
  local: LocalReferenceStore;
  /** Default none: nothing leaves this device, and everything put here stays pending. */
  remote?: ReferenceStore;
  /** What the copies above `local` may take; default 64 MiB, 0 for none. */
  inMemoryBytes?: number;
  clock?: Clock;
  random?: RandomBytes;
}

/**
 * Opens a layered store over stores that it then owns: closing it closes them. It starts disconnected, and nothing
 * reaches for the network until `connected` is called.
 *
 * A put resolves once the bytes are in `local` and entered there for upload; the upload follows, now or after a
 * reload. A get looks in memory, then in `local`, then at the remote, and keeps on the way back what it found. Where
 * only the remote could know and is not connected, it rejects with `refstore/unavailable`. A delete is of this
 * device only.
 *
 * @throws what reading `local` throws, for instance `refstore/unavailable`.
 * @example
 * ```ts
 * const store = await openLayeredStore({
 *   local: await openIndexedDbStore("my-room/references"),
 *   remote: createHttpStore({ baseUrl: "https://relay.example.com/v1/rooms/my-room/refs" }),
 * });
 * store.connected();
 * const reference = await store.put(bytes);
 * store.state(reference.id); // { here: true, state: "uploading" }
 * ```
 */
export async function openLayeredStore({
  local,
  remote,
  inMemoryBytes = 64 * 1024 * 1024,
  clock = systemClock,
  random = systemRandom,
}: LayeredStoreOptions): Promise<LayeredStore> {
  const cache = createByteCache(inMemoryBytes);
  const flights = createFlights<Uint8Array>();
  const link = createLink(clock);
  const states = createReferenceStates();
  const problems = createEmitter<ReferenceProblem>();
  /** The id whose bytes have come, or undefined where any may have. */
  const wakes = createEmitter<string | undefined>();
  const queue = createUploadQueue({ upload, onStage, onProblem: report, clock, random });
  const lifetime = new AbortController();
  let closing: Promise<void> | undefined;

  function onStage({ id }: Reference, stage: UploadStage): void {
    if (stage === "uploaded") states.note(id, { state: "remote" });
    else if (stage !== "gone") states.note(id, { here: true, state: stage === "waiting" ? "local" : stage });
    else if (states.get(id)?.state !== "corrupt") states.note(id, { here: false, state: "missing" });
  }

  function report({ id }: { id: string }, failure: unknown): void {
    const error = isFlockError(failure)
      ? failure
      : new FlockError("refstore/unavailable", `The reference ${id} could not be stored.`, {
          cause: failure,
        });
    problems.emit({ id, error });
  }

  async function upload(reference: Reference): Promise<"uploaded" | "gone"> {
    const { id, contentType } = reference;
    const bytes = cache.get(id)?.bytes ?? (await readLocal(id, lifetime.signal));
    if (isFlockError(bytes, "refstore/unavailable")) throw bytes;
    if (!remote || bytes instanceof FlockError) return "gone";
    await link.run(bytes.length, async (signal) => {
      // A sealed page is put by its writer whoever has put it before, or that one could remove it.
      const mayProbe = bytes.length > probeBytes && contentType !== sealContentType;
      if (mayProbe && (await remote.has(id, { signal }))) return;
      signal.throwIfAborted();
      await remote.put(bytes, { contentType, signal });
    });
    // One that cannot be struck out is only offered once more after a reload.
    await local.uploads.remove(id).catch((failure: unknown) => report(reference, failure));
    return "uploaded";
  }

  /** The copy on this device, or why there is none; a decayed one is gone from `local`, its upload included. */
  async function readLocal(id: string, signal: AbortSignal): Promise<Uint8Array | FlockError> {
    try {
      return await local.get(id, { signal });
    } catch (failure) {
      signal.throwIfAborted();
      if (isFlockError(failure, "refstore/corrupt")) {
        queue.drop(id);
        states.note(id, { here: false, state: "corrupt" });
        report({ id }, failure);
      }
      if (isFlockError(failure) && failure.code !== "refstore/closed") return failure;
      throw failure;
    }
  }

  async function find(reference: Reference, flight: Flight): Promise<Uint8Array> {
    const { id } = reference;
    const copy = await readLocal(id, flight.signal);
    const isHere = !(copy instanceof FlockError);
    const bytes = isHere ? copy : await fetchRemote(reference, copy, flight);
    const isKept = isHere || (flight.isCurrent() && (await keep(reference, bytes)));
    // A delete meanwhile means what it says: nothing of this flight stays. A put has kept its own.
    if (!flight.isCurrent()) return bytes;
    const isCached = cache.set({ reference, bytes });
    const known = states.get(id)?.state;
    const state = known === "uploading" || known === "remote" ? known : isHere ? "local" : "remote";
    states.note(id, { here: isKept || isCached, state });
    return bytes;
  }

  async function fetchRemote(
    { id, size }: Reference,
    absence: FlockError,
    { signal, isCurrent }: Flight,
  ): Promise<Uint8Array> {
    try {
      if (!remote) throw notFound(id, "this device");
      return await link.run(size, (inner) => remote.get(id, { signal: inner }), signal);
    } catch (failure) {
      signal.throwIfAborted();
      const isAbsent = isFlockError(failure, "refstore/not-found");
      // A put meanwhile knows better.
      if (isCurrent()) {
        const isDecayed = isFlockError(failure, "refstore/corrupt") || states.get(id)?.state === "corrupt";
        if (isDecayed) states.note(id, { here: false, state: "corrupt" });
        else states.note(id, { here: false, ...(isAbsent && { state: "missing" as const }) });
      }
      const isExplained = isAbsent || isFlockError(failure, "refstore/unavailable");
      throw isExplained && absence.code !== "refstore/not-found" ? absence : failure;
    }
  }

  /** Keeps on this device what came from the remote; a full disk does not take it from whoever asked. */
  async function keep({ id, contentType }: Reference, bytes: Uint8Array): Promise<boolean> {
    try {
      await local.put(bytes, { contentType });
      return true;
    } catch (failure) {
      if (!closing) report({ id }, failure);
      return false;
    }
  }

  async function get(wanted: Reference | string, { signal }: WaitOptions = {}): Promise<Uint8Array> {
    lifetime.signal.throwIfAborted();
    signal?.throwIfAborted();
    const id = referenceId(wanted);
    const reference =
      typeof wanted === "string" ? { id, size: maxReferenceBytes, contentType: defaultContentType } : wanted;
    assertSize(reference.size);
    const cached = cache.get(id);
    if (cached) return cached.bytes.slice();
    const bytes = await flights.join(id, (flight) => find(reference, flight), signal);
    return bytes.slice();
  }

  async function resolve(reference: Reference | string, { signal }: WaitOptions = {}): Promise<Uint8Array> {
    const id = referenceId(reference);
    const ends = signal ? AbortSignal.any([signal, lifetime.signal]) : lifetime.signal;
    for (let failures = 0; ; ) {
      const alarm = createAlarm(id);
      try {
        return await get(reference, { signal: ends });
      } catch (failure) {
        ends.throwIfAborted();
        if (!mayPass(failure)) throw failure;
        const isWoken = await abortable(alarm.ring(backoffMs(failures, resolveBackoff, random)), ends);
        failures = isWoken ? 0 : failures + 1;
      } finally {
        alarm.cancel();
      }
    }
  }

  /** Listens from its creation on, so that what comes while a get still fails is not slept through. */
  function createAlarm(id: string) {
    let isWoken = false;
    let done: (isWoken: boolean) => void = () => undefined;
    const undo = wakes.on((comes) => {
      if (comes !== undefined && comes !== id) return;
      isWoken = true;
      done(true);
    });
    let cancelTimer: Undo = () => undefined;
    return {
      /** True once woken, false once the delay is over. */
      ring: (delayMs: number) =>
        new Promise<boolean>((resolved) => {
          if (isWoken) return resolved(true);
          done = resolved;
          cancelTimer = clock.after(delayMs, () => resolved(false));
        }),
      cancel() {
        undo();
        cancelTimer();
      },
    };
  }

  function queueAll(references: readonly Reference[]): void {
    for (const reference of references) {
      if (states.get(reference.id)?.state !== "remote") queue.add(reference);
    }
  }

  queueAll(await local.uploads.load());
  for await (const { id } of local.list()) {
    if (!states.get(id)) states.note(id, { here: true, state: "remote" });
  }

  return {
    async put(bytes, { contentType = defaultContentType, signal } = {}) {
      lifetime.signal.throwIfAborted();
      const copy = bytes.slice();
      const reference = await local.put(copy, { contentType, pending: true, ...(signal && { signal }) });
      flights.forget(reference.id);
      cache.set({ reference, bytes: copy });
      queue.add(reference);
      wakes.emit(reference.id);
      return reference;
    },
    get,
    resolve,
    async has(id, { signal } = {}) {
      lifetime.signal.throwIfAborted();
      if (cache.has(referenceId(id)) || (await local.has(id, { ...(signal && { signal }) }))) return true;
      return remote !== undefined && link.run(0, (inner) => remote.has(id, { signal: inner }), signal);
    },
    async delete(id, { signal } = {}) {
      lifetime.signal.throwIfAborted();
      signal?.throwIfAborted();
      flights.forget(referenceId(id));
      queue.drop(id);
      const wasCached = cache.delete(id);
      const wasLocal = await local.delete(id);
      const before = states.get(id)?.state;
      if (before) states.note(id, { here: false, state: before === "remote" ? before : "missing" });
      return wasCached || wasLocal;
    },
    list: () => local.list(),
    stats: () => local.stats(),
    state: (id) => states.get(id),
    onChange: (listener) => states.onChange(listener),
    onProblem: (listener) => problems.on(listener),
    pending: queue.size,
    connected() {
      if (closing || !remote) return;
      link.connect();
      queue.connected();
      wakes.emit(undefined);
      // What a closed tab left in the ledger goes on here. What this tab put is queued already, so that a ledger
      // which cannot be read now is read upon the next connection.
      local.uploads.load().then(queueAll, () => undefined);
    },
    disconnected() {
      link.disconnect();
      queue.disconnected();
    },
    close() {
      closing ??= (async () => {
        const reason = closed("The layered store of references");
        lifetime.abort(reason);
        link.disconnect(reason);
        await queue.close();
        await Promise.all([local.close(), remote?.close()]);
      })();
      return closing;
    },
  };
}

/** Tells whether a later attempt may fare better. */
function mayPass(failure: unknown): boolean {
  return (
    isFlockError(failure, "refstore/not-found") ||
    isFlockError(failure, "refstore/unavailable") ||
    isFlockError(failure, "refstore/corrupt")
  );
}
