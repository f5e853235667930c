import * as Y from "yjs";
import { type DeletedRange, encodeStructs, inOrder, pieceOf, type Struct } from "./update-structs.ts";

export interface CutOptions {
  /** Whether the structs of a Yjs client may be sent. */
  owns(client: number): boolean;
  /** The receiver's next clocks. Without them nothing is left out for what it rests on. */
  known?: ReadonlyMap<number, number>;
}

/** What is left of an update. */
export interface Cut {
  update: Uint8Array;
  /** Whether every struct that is owned is in it, and every deletion. */
  whole: boolean;
}

/**
 * Cuts an update to the structs of some Yjs clients and to the deletions. Where the receiver's clocks are given, structs
 * and deletions that rest on something that neither it nor the cut has stay out: what is left passes its gate.
 */
export function cutUpdate(update: Uint8Array, { owns, known }: CutOptions): Cut {
  const { structs, ds } = Y.decodeUpdate(update);
  const reached = new Map(known);
  const reach = (client: number): number => reached.get(client) ?? 0;
  const rests = (id: Y.ID | null): boolean => id === null || id.clock < reach(id.client);
  const owned = structs.filter(({ id }) => owns(id.client));
  if (!known) for (const { id } of owned) if (!reached.has(id.client)) reached.set(id.client, id.clock);

  function isReady(struct: Struct): boolean {
    if (struct instanceof Y.Skip || struct.id.clock > reach(struct.id.client)) return false;
    if (!known || !(struct instanceof Y.Item)) return true;
    const { parent } = struct;
    return rests(struct.origin) && rests(struct.rightOrigin) && (!(parent instanceof Y.ID) || rests(parent));
  }

  const taken = (inOrder(owned) ?? owned).filter((struct) => {
    if (!isReady(struct)) return false;
    reached.set(struct.id.client, struct.id.clock + struct.length);
    return true;
  });
  const deleted: DeletedRange[] = [];
  let whole = taken.length === owned.length;
  for (const [client, ranges] of ds.clients) {
    for (const { clock, len } of ranges) {
      const kept = known ? Math.min(len, reach(client) - clock) : len;
      if (kept < len) whole = false;
      if (kept > 0) deleted.push({ client, clock, len: kept });
    }
  }
  return {
    update: encodeStructs(
      taken.map((struct) => pieceOf(struct, [])),
      deleted,
    ),
    whole,
  };
}
