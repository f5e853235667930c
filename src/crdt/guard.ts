import * as Y from "yjs";
import type { ErrorCode } from "../base/index.ts";
import { type DocumentName, type GatePlace, isResync, rootPlace, scanUpdate } from "../protocol/index.ts";

/** What became of an update from elsewhere. */
export type Received =
  | { result: "applied" }
  /** Nothing in it was new. */
  | { result: "known" }
  /** It rests on something that is not here: its sender must be asked for the rest. */
  | { result: "gap" }
  | { result: "refused"; code: ErrorCode; message: string };

const profiles = { shared: "shared", register: "register", lane: "append" } as const;

/**
 * Scans an update's bytes against what a document holds, before anything integrates it.
 * An overlap passes: what is known here stays, and Yjs takes the rest.
 */
export function guardUpdate(name: DocumentName, document: Y.Doc, update: Uint8Array): Received {
  const verdict = scanUpdate(update, {
    profile: profiles[name.kind],
    context: {
      clockOf: (client) => Y.getState(document.store, client),
      placeOf: (client, clock) => placeOf(Y.getItem(document.store, Y.createID(client, clock))),
    },
    overlap: "allow",
    limits: { structs: Number.POSITIVE_INFINITY },
    ...(name.kind === "lane" ? { client: name.page.client } : {}),
  });
  if (verdict.ok) return { result: verdict.known ? "known" : "applied" };
  return isResync(verdict.code)
    ? { result: "gap" }
    : { result: "refused", code: verdict.code, message: verdict.message };
}

function placeOf(item: Y.Item | Y.GC): GatePlace {
  if (!(item instanceof Y.Item)) return rootPlace;
  let depth = 0;
  let container = item.parent as Y.AbstractType<unknown> | null;
  for (; container?._item; container = container._item.parent as Y.AbstractType<unknown> | null) depth++;
  return { depth, keyed: item.parentSub !== null };
}
