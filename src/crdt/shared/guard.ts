import * as Y from "yjs";
import type { ErrorCode } from "../../base/index.ts";
import { type DocumentName, type GatePlace, isResync, rootPlace, scanUpdate } from "../../protocol/index.ts";
import { findMisplaced } from "./list-order.ts";

/** What became of an update from elsewhere. */
export type Received =
  | { result: "applied" }
  /** Nothing in it was new. */
  | { result: "known" }
  /** It rests on something that is not here: its sender must be asked for the rest. */
  | { result: "gap"; client: number | undefined }
  | { result: "refused"; client: number | undefined; code: ErrorCode; message: string };

const profiles = { shared: "shared", register: "register", lane: "append" } as const;

/** Judges the updates of one document, before anything integrates them. */
export type Guard = (update: Uint8Array) => Received;

/**
 * Creates a guard. An overlap passes: what is known here stays, and Yjs takes the rest. A Yjs client of which something
 * was refused is ignored from there on, with whatever rests on it: it is told once, and never asked for again.
 */
export function createGuard(name: DocumentName, document: Y.Doc): Guard {
  const ignored = new Set<number>();

  return (update) => {
    const received = guardUpdate(name, document, update);
    if (received.result === "applied" || received.result === "known") return received;
    const isGap = received.result === "gap";
    if (isGap && !ignored.has(received.client ?? none)) return received;
    const clients = newClients(document, update, received.client);
    const isTold = isGap || (clients.length > 0 && clients.every((client) => ignored.has(client)));
    for (const client of clients) ignored.add(client);
    return isTold ? { result: "known" } : received;
  };
}

/** No Yjs client has this number. */
const none = -1;

/** The Yjs clients of which an update has something new; only `named` where the update cannot be read. */
function newClients(document: Y.Doc, update: Uint8Array, named = none): number[] {
  try {
    const { to } = Y.parseUpdateMeta(update);
    return [...to].flatMap(([client, clock]) => (clock > Y.getState(document.store, client) ? [client] : []));
  } catch {
    // It was refused because it is no update; the scan may have read whose.
    return named === none ? [] : [named];
  }
}

/** Scans an update's bytes against what a document holds. */
function guardUpdate(name: DocumentName, document: Y.Doc, update: Uint8Array): Received {
  const verdict = scanUpdate(update, {
    profile: profiles[name.kind],
    context: {
      clockOf: (client) => Y.getState(document.store, client),
      placeOf: (client, clock) => placeOf(Y.getItem(document.store, Y.createID(client, clock))),
    },
    overlap: "allow",
    limits: { structs: Number.POSITIVE_INFINITY, containers: Number.POSITIVE_INFINITY },
    ...(name.kind === "lane" ? { client: name.page.client } : {}),
  });
  if (verdict.ok) {
    if (verdict.known) return { result: "known" };
    const misplaced = name.kind === "shared" ? findMisplaced(document, update) : undefined;
    if (!misplaced) return { result: "applied" };
    const { client, why } = misplaced;
    const message = `An item of client ${client} ${why}.`;
    return { result: "refused", client, code: "gate/origin", message };
  }
  const { client, code, message } = verdict;
  return isResync(code) ? { result: "gap", client } : { result: "refused", client, code, message };
}

function placeOf(item: Y.Item | Y.GC): GatePlace {
  if (!(item instanceof Y.Item)) return rootPlace;
  let depth = 0;
  let container = item.parent as Y.AbstractType<unknown> | null;
  for (; container?._item; container = container._item.parent as Y.AbstractType<unknown> | null) depth++;
  return { depth, keyed: item.parentSub !== null };
}
