import * as Y from "yjs";
import {
  type DocumentName,
  encodeClocks,
  type GateContext,
  type GateLimits,
  type GateOptions,
  type GateVerdict,
  scanUpdate,
} from "../../../protocol/index.ts";

/** How the gate judges updates of a document; the name says it, never the content. */
export function gateOptionsOf(name: DocumentName, context: GateContext): GateOptions {
  switch (name.kind) {
    case "shared":
      return { profile: "shared", context, overlap: "allow" };
    case "register":
      return { profile: "register", context, overlap: "allow" };
    case "lane":
      return { profile: "append", context, overlap: "allow", client: name.page.client };
  }
}

/** An update as the gate takes it, with its verdict. */
export interface Judged {
  update: Uint8Array;
  verdict: GateVerdict;
}

/**
 * Judges an update after it was trimmed to what is new: of what is known already the first bytes hold, whatever a later
 * update says, so that every clock keeps the one content that readers were sent.
 */
export function judgeUpdate(update: Uint8Array, gate: GateOptions, limits?: Partial<GateLimits>): Judged {
  const options: GateOptions = limits ? { ...gate, limits } : gate;
  const verdict = scanUpdate(update, options);
  if (!verdict.ok || verdict.known) return { update, verdict };
  const { clockOf } = gate.context;
  if (verdict.ranges.every(({ client, from }) => from >= clockOf(client))) return { update, verdict };
  const known = new Map(verdict.ranges.map(({ client }) => [client, clockOf(client)]));
  const rest = Y.diffUpdate(update, encodeClocks(known));
  return { update: rest, verdict: scanUpdate(rest, { ...options, overlap: "refuse" }) };
}
