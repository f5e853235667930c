import * as Y from "yjs";
import type { GateOptions, GateProfile } from "../../../src/protocol/gate/index.ts";
import { contextOfDoc, emptyContext, placeOfItem, type Scan } from "./contexts.ts";

/** An update offered to a document in a given state. */
export interface Trial {
  profile: GateProfile;
  client: number;
  state: Uint8Array;
  update: Uint8Array;
}

/** How an accepted update can break the promise. */
export type Violation =
  | "scan threw"
  | "apply threw"
  | "left pending"
  | "clocks differ"
  | "known but changed"
  | "places differ"
  | "re-encoded unfit";

export interface Outcome {
  accepted: boolean;
  /** The code of a refusal. */
  code?: string;
  violation?: Violation;
  cause?: unknown;
}

const unbounded = { structs: Number.POSITIVE_INFINITY, deleteRanges: Number.POSITIVE_INFINITY };

/** A document in the trial's state, with the root types opened as an application would. */
function openDoc({ profile, state }: Pick<Trial, "profile" | "state">): Y.Doc {
  const doc = new Y.Doc();
  if (profile === "append") doc.getArray("b");
  else if (profile === "register") doc.getMap("r");
  else {
    doc.getText("t");
    doc.getArray("a");
    doc.getMap("m");
  }
  Y.applyUpdate(doc, state);
  return doc;
}

function isPending({ store }: Y.Doc): boolean {
  return store.pendingStructs !== null || store.pendingDs !== null;
}

/**
 * GATE-17 for one trial: what the gate accepts applies without an error, leaves nothing pending, moves the clocks as
 * the verdict says, and is written back in a form that the gate accepts from the start.
 */
export function examine({ profile, client, state, update }: Trial, scan: Scan): Outcome {
  const doc = openDoc({ profile, state });
  const options: GateOptions = { profile, client, context: contextOfDoc(doc) };
  let verdict: ReturnType<Scan>;
  try {
    verdict = scan(update, options);
  } catch (cause) {
    return { accepted: false, violation: "scan threw", cause };
  }
  if (!verdict.ok) return { accepted: false, code: verdict.code };

  const expected = Y.decodeStateVector(Y.encodeStateVector(doc));
  const before = Y.snapshot(doc);
  for (const { client, to } of verdict.ranges) expected.set(client, Math.max(expected.get(client) ?? 0, to));
  const violated = (violation: Violation, cause?: unknown): Outcome => ({ accepted: true, violation, cause });
  try {
    Y.applyUpdate(doc, update);
  } catch (cause) {
    return violated("apply threw", cause);
  }
  if (isPending(doc)) return violated("left pending");
  const clocks = Y.decodeStateVector(Y.encodeStateVector(doc));
  if (
    clocks.size !== expected.size ||
    [...clocks].some(([client, clock]) => expected.get(client) !== clock)
  ) {
    return violated("clocks differ", { clocks, expected });
  }
  try {
    const after = Y.encodeStateAsUpdate(doc);
    if (verdict.known && !Y.equalSnapshots(before, Y.snapshot(doc))) return violated("known but changed");
    for (const { client, from, depth, keyed } of verdict.places) {
      const actual = placeOfItem(Y.getItem(doc.store, Y.createID(client, from)));
      if (actual && (actual.depth !== depth || actual.keyed !== keyed))
        return violated("places differ", { client, from, depth, keyed, actual });
    }
    const again = openDoc({ profile, state: after });
    const anew = scan(after, { profile, client, context: emptyContext, limits: unbounded });
    if (!anew.ok || isPending(again)) return violated("re-encoded unfit", anew);
  } catch (cause) {
    return violated("re-encoded unfit", cause);
  }
  return { accepted: true };
}
