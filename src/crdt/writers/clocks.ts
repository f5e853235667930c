import * as Y from "yjs";

/** The next clock of each Yjs client. */
export type Clocks = ReadonlyMap<number, number>;

/** The clocks of a document; none where there is no document. */
export function clocksIn(document: Y.Doc | undefined): Clocks {
  return document ? Y.decodeStateVector(Y.encodeStateVector(document)) : new Map();
}

/** The clocks that an update reaches; undefined where it can't be read. */
export function clocksOf(update: Uint8Array): Clocks | undefined {
  try {
    return Y.parseUpdateMeta(update).to;
  } catch {
    return undefined;
  }
}

/** Whether some clock lies past what is known. */
export function exceeds(clocks: Clocks, known: Clocks): boolean {
  for (const [client, clock] of clocks) if (clock > (known.get(client) ?? 0)) return true;
  return false;
}
