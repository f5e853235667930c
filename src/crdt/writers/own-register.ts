import * as Y from "yjs";
import { type Clock, createEmitter, type Emitter, type RandomBytes, type Undo } from "../../base/index.ts";
import { decodeClocks, type RegisterRecord } from "../../protocol/index.ts";
import { randomClient } from "../random-client.ts";
import { clocksIn } from "./clocks.ts";
import type { Outbound } from "./outbound.ts";
import { createRegister } from "./register.ts";
import { registerRecordKey } from "./writer-records.ts";
import type { WriterStore } from "./writer-store.ts";

/** The register of a writer that is open here. */
export interface OwnRegister {
  get(): RegisterRecord | undefined;
  /** Changes within 50 ms are written, stored and sent as one. */
  set(record: RegisterRecord): void;
  readonly changed: Emitter<void>;
  /** Told with what was stored. */
  readonly stored: Emitter<Uint8Array>;
  /** Whether the relay has the latest record. */
  readonly complete: boolean;
  readonly outbound: Outbound | undefined;
  /** The document as it is in memory. */
  readonly document: Y.Doc;
  /** The clocks that the relay has, by Yjs client. */
  acknowledged(): [client: number, clock: number][];
  /** The document as it is stored. */
  settled(): Y.Doc;
  /** Resolves once everything set so far is stored; false where that failed, and the next call tries again. */
  flush(): Promise<boolean>;
  /** Tries again what the database refused; resolves with whether all that may have gone out is stored. */
  confirm(): Promise<boolean>;
  /**
   * Stores the present record; the result tells, whenever it is asked, whether the relay has this one or a later one.
   * Undefined where it could not be stored.
   */
  publish(): Promise<(() => boolean) | undefined>;
  close(): void;
}

export interface OwnRegisterOptions {
  store: WriterStore;
  clock: Clock;
  random: RandomBytes;
  outbound(document: Y.Doc, ready: () => boolean): Outbound | undefined;
}

const writeEveryMs = 50;

/** Opens the register as the writer's database has it. */
export async function openOwnRegister({
  store,
  clock,
  random,
  outbound,
}: OwnRegisterOptions): Promise<OwnRegister> {
  const register = createRegister({ client: randomClient(random) });
  const changed = createEmitter<void>();
  const stored = createEmitter<Uint8Array>();
  /** The record to be written next; Yjs pays for each write, so the document gets only the last of a while. */
  let next: RegisterRecord | undefined;
  let writes = 0;
  let isStored = true;
  /** Whether a record that the database refused may have gone out. */
  let hasFailed = false;
  let storing: Promise<boolean> = Promise.resolve(true);
  let storedAt = Number.NEGATIVE_INFINITY;
  let cancel: Undo = () => {};

  const before = await store.records.get(registerRecordKey);
  if (before instanceof Uint8Array) Y.applyUpdate(register.document, before);
  let latest = before instanceof Uint8Array ? before : Y.encodeStateAsUpdate(register.document);
  const upload = outbound(register.document, () => isStored);

  function flush(): Promise<boolean> {
    cancel();
    if (next) {
      register.set(next);
      next = undefined;
      storedAt = clock.now();
      storing = keep();
    } else {
      retry();
    }
    return storing;
  }

  function retry(): void {
    if (hasFailed && isStored) storing = keep();
  }

  async function keep(): Promise<boolean> {
    isStored = false;
    const number = ++writes;
    const update = Y.encodeStateAsUpdate(register.document);
    const isKept = (await store.put([[registerRecordKey, update]])) === undefined;
    // A flush may have begun the next write meanwhile; what it holds is not stored yet.
    isStored = number === writes;
    if (isStored) hasFailed = !isKept;
    if (isKept) {
      latest = update;
      stored.emit(update);
    }
    upload?.pump();
    return isKept;
  }

  return {
    get: () => next ?? register.get(),
    set(record) {
      const isScheduled = next !== undefined;
      next = record;
      changed.emit();
      if (isScheduled) return;
      const sinceMs = clock.now() - storedAt;
      // A wall that was set back must not make this wait for as long.
      const waitMs = sinceMs < 0 ? writeEveryMs : Math.max(0, writeEveryMs - sinceMs);
      cancel = clock.after(waitMs, () => void flush());
    },
    changed,
    stored,
    get complete() {
      return next === undefined && upload?.complete !== false;
    },
    outbound: upload,
    document: register.document,
    acknowledged: () =>
      [...clocksIn(register.document).keys()].map((each) => [each, upload?.acknowledged(each) ?? 0]),
    settled() {
      if (isStored && !hasFailed) return register.document;
      const document = new Y.Doc();
      Y.applyUpdate(document, latest);
      return document;
    },
    flush,
    async confirm() {
      retry();
      return !hasFailed || storing;
    },
    async publish() {
      if (!(await flush())) return undefined;
      const clocks = decodeClocks(Y.encodeStateVector(register.document));
      return () => !upload || [...clocks].every(([client, upTo]) => upload.acknowledged(client) >= upTo);
    },
    close: () => register.document.destroy(),
  };
}
