import * as Y from "yjs";
import { encodeClocks } from "../../protocol/index.ts";
import { type Clocks, clocksIn } from "../writers/clocks.ts";

/** What is uploaded of a document. */
export interface UploadSource {
  /** How far it goes. */
  clocks(): Clocks;
  /** What lies past some clocks. */
  updateAfter(clocks: Clocks): Uint8Array;
}

/** Uploads a document as it is at each time. */
export function sourceOf(document: Y.Doc): UploadSource {
  return {
    clocks: () => clocksIn(document),
    updateAfter: (clocks) => Y.encodeStateAsUpdate(document, encodeClocks(clocks)),
  };
}
