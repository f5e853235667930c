import {
  backoffMs,
  type Clock,
  createStore,
  type ErrorCode,
  isFlockError,
  type RandomBytes,
  type Store,
  type Undo,
} from "../base/index.ts";
import type { Reference } from "../protocol/index.ts";

/** Uploads at once: a slow one holds up two others at most. */
const lanes = 3;
const backoff = { firstMs: 500, maxMs: 60_000 };
/** Failures that the same bytes would meet again. */
const lasting: readonly ErrorCode[] = ["refstore/refused", "refstore/too-large", "refstore/invalid-options"];

/** Where a reference of the queue is; `gone` where there were no bytes here to upload. */
export type UploadStage = "waiting" | "uploading" | "uploaded" | "gone";

export interface UploadQueueOptions {
  /** Brings one reference to the remote, or finds its bytes gone. */
  upload: (reference: Reference) => Promise<"uploaded" | "gone">;
  onStage: (reference: Reference, stage: UploadStage) => void;
  /** An upload that was parked, and why. */
  onProblem: (reference: Reference, failure: unknown) => void;
  clock: Clock;
  random: RandomBytes;
}

/** Brings references to the remote, each on its own: one that fails delays no other. */
export interface UploadQueue {
  /** Queues a reference; one that failed before is tried at once. */
  add(reference: Reference): void;
  /** Forgets a reference; an upload that is under way may still arrive. */
  drop(id: string): void;
  /** Tries everything, parked references included. */
  connected(): void;
  disconnected(): void;
  /** How many are not yet uploaded, parked ones included. */
  readonly size: Store<number>;
  /** Resolves once nothing is under way. */
  close(): Promise<void>;
}

interface Item {
  readonly reference: Reference;
  failures: number;
  phase: "ready" | "sending" | "resting" | "parked";
  cancelRest?: Undo;
}

/** Creates an empty queue that is not connected. */
export function createUploadQueue({
  upload,
  onStage,
  onProblem,
  clock,
  random,
}: UploadQueueOptions): UploadQueue {
  const items = new Map<string, Item>();
  const ready = new Set<Item>();
  const running = new Set<Promise<void>>();
  const size = createStore(0);
  let up = false;

  function pump(): void {
    for (const item of ready) {
      if (!up || running.size >= lanes) return;
      ready.delete(item);
      const run = send(item).finally(() => {
        running.delete(run);
        pump();
      });
      running.add(run);
    }
  }

  async function send(item: Item): Promise<void> {
    item.phase = "sending";
    onStage(item.reference, "uploading");
    try {
      const outcome = await upload(item.reference);
      // What was deleted and put anew meanwhile has an upload of its own, but has arrived all the same.
      if (outcome === "uploaded" || isCurrent(item)) onStage(item.reference, outcome);
      if (isCurrent(item)) remove(item.reference.id);
    } catch (failure) {
      if (isCurrent(item)) settleFailure(item, failure);
    }
  }

  function settleFailure(item: Item, failure: unknown): void {
    onStage(item.reference, "waiting");
    if (isFlockError(failure) && lasting.includes(failure.code)) {
      item.phase = "parked";
      onProblem(item.reference, failure);
    } else if (up) {
      item.phase = "resting";
      const delayMs = backoffMs(item.failures, backoff, random);
      item.failures += 1;
      item.cancelRest = clock.after(delayMs, () => {
        makeReady(item);
        pump();
      });
    } else {
      makeReady(item);
    }
  }

  function makeReady(item: Item): void {
    item.cancelRest?.();
    delete item.cancelRest;
    item.phase = "ready";
    ready.add(item);
  }

  function isCurrent(item: Item): boolean {
    return items.get(item.reference.id) === item;
  }

  function remove(id: string): void {
    const item = items.get(id);
    if (!item) return;
    item.cancelRest?.();
    ready.delete(item);
    items.delete(id);
    size.set(items.size);
  }

  return {
    add(reference) {
      const item: Item = items.get(reference.id) ?? { reference, failures: 0, phase: "ready" };
      items.set(reference.id, item);
      size.set(items.size);
      item.failures = 0;
      if (item.phase === "sending") return;
      onStage(reference, "waiting");
      makeReady(item);
      pump();
    },
    drop: remove,
    connected() {
      up = true;
      for (const item of items.values()) {
        item.failures = 0;
        if (item.phase !== "sending") makeReady(item);
      }
      pump();
    },
    disconnected() {
      up = false;
      for (const item of items.values()) if (item.phase === "resting") makeReady(item);
    },
    size,
    async close() {
      up = false;
      for (const item of items.values()) item.cancelRest?.();
      ready.clear();
      await Promise.all(running);
    },
  };
}
