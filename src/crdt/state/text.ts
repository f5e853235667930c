import type * as Y from "yjs";
import type { Write } from "../write.ts";
import { createSnapshot, type Snapshot, type StateHost } from "./handle.ts";

/** Shared text that several may edit at once. */
export interface TextHandle extends Snapshot<string> {
  /** The Yjs type, for editor bindings. */
  readonly y: Y.Text;
  /** Inserts at a position in UTF-16 units. */
  insert(index: number, text: string): Write;
  delete(index: number, length: number): Write;
}

/** A text in a room's state. */
export interface TextDefinition {
  readonly kind: "text";
  bind(host: StateHost, name: string): TextHandle;
}

/** Declares a shared text. */
export function text(): TextDefinition {
  return {
    kind: "text",
    bind(host, name) {
      const y = host.document.getText(name);
      return {
        ...createSnapshot(host.document, y, () => y.toString()),
        y,
        insert: (index, inserted) => host.transact(() => y.insert(index, inserted)),
        delete: (index, length) => host.transact(() => y.delete(index, length)),
      };
    },
  };
}
