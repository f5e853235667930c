import * as Y from "yjs";
import * as z from "zod/mini";
import {
  type RegisterRecord,
  registerKey,
  registerRecordSchema,
  registerRoot,
} from "../../protocol/index.ts";

/** A writer's latest word on itself: one document with one key. */
export interface Register {
  readonly document: Y.Doc;
  /** The record; undefined where none was written, or what was written is none. */
  get(): RegisterRecord | undefined;
  set(record: RegisterRecord): void;
}

/** Creates an empty register; to write it takes a new Yjs client each time, so that a lost disk never reuses clocks. */
export function createRegister({ client }: { client?: number } = {}): Register {
  const document = new Y.Doc();
  if (client !== undefined) document.clientID = client;
  const map = document.getMap<unknown>(registerRoot);
  let read: { raw: unknown; record: RegisterRecord | undefined } | undefined;
  return {
    document,
    get() {
      const raw = map.get(registerKey);
      // Yjs hands out the stored object itself, so the same object was parsed before.
      if (!read || read.raw !== raw) {
        const parsed = z.safeParse(registerRecordSchema, raw);
        read = { raw, record: parsed.success ? parsed.data : undefined };
      }
      return read.record;
    },
    set: (record) => void map.set(registerKey, record),
  };
}

/** Every record that an update of a register brings, whether or not it stands in the end. */
export function* recordsIn(update: Uint8Array): Iterable<RegisterRecord> {
  for (const { content } of Y.decodeUpdate(update).structs as Partial<Y.Item>[]) {
    for (const value of content instanceof Y.ContentAny ? content.arr : []) {
      const parsed = z.safeParse(registerRecordSchema, value);
      if (parsed.success) yield parsed.data;
    }
  }
}
