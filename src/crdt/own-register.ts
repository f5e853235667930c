import * as Y from "yjs";
import { type Clock, createEmitter, type Emitter, type RandomBytes, type Undo } from "../base/index.ts";
import type { RegisterRecord } from "../protocol/index.ts";
import type { Outbound } from "./outbound.ts";
import { randomClient } from "./random-client.ts";
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
  /** The document as it is stored. */
  settled(): Y.Doc;
  flush(): Promise<void>;
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
  let storedAt = Number.NEGATIVE_INFINITY;
  let cancel: Undo = () => {};

  const before = await store.records.get(registerRecordKey);
  if (before instanceof Uint8Array) Y.applyUpdate(register.document, before);
  let latest = before instanceof Uint8Array ? before : Y.encodeStateAsUpdate(register.document);
  const upload = outbound(register.document, () => isStored);

  async function flush(): Promise<void> {
    cancel();
    if (!next) return;
    register.set(next);
    next = undefined;
    storedAt = clock.now();
    isStored = false;
    const number = ++writes;
    const update = Y.encodeStateAsUpdate(register.document);
    await store.put([[registerRecordKey, update]]);
    // A flush may have begun the next write meanwhile; what it holds is not stored yet.
    isStored = number === writes;
    latest = update;
    stored.emit(update);
    upload?.pump();
  }

  return {
    get: () => next ?? register.get(),
    set(record) {
      const isScheduled = next !== undefined;
      next = record;
      changed.emit();
      if (isScheduled) return;
      cancel = clock.after(Math.max(0, storedAt + writeEveryMs - clock.now()), () => void flush());
    },
    changed,
    stored,
    get complete() {
      return next === undefined && upload?.complete !== false;
    },
    outbound: upload,
    settled() {
      if (isStored) return register.document;
      const document = new Y.Doc();
      Y.applyUpdate(document, latest);
      return document;
    },
    flush,
    close: () => register.document.destroy(),
  };
}
