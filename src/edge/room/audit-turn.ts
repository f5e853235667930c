import type { Acceptance } from "../../protocol/index.ts";
import type { Grant } from "./grant.ts";
import type { AuditEntry } from "./ports.ts";

/** Which verdicts the audit trail keeps. */
export type AuditScope = "all" | "refused";

/** Clocks of more Yjs clients in one entry are counted in its bytes only. */
const maxRanges = 32;

/** What the present turn adds to the audit trail. */
export interface AuditTurn {
  /** Notes an accepted update: one entry for each token and document. */
  accepted(by: Grant, subject: string, of: Pick<Acceptance, "ranges"> & { bytes: number }): void;
  /** Notes a refusal: one entry for each token and code, which names the first document. */
  refused(by: Grant, subject: string, of: { code: string; bytes: number }): void;
  readonly isEmpty: boolean;
  take(atMs: number): AuditEntry[];
}

/** Creates an empty turn. */
export function createAuditTurn(scope: AuditScope): AuditTurn {
  const entries = new Map<string, AuditEntry>();

  function entryOf(key: string, { principal, tokenId }: Grant, subject: string, verdict: string): AuditEntry {
    const known = entries.get(key);
    if (known) return known;
    const entry = { at: 0, principal, tokenId, subject, ranges: [], bytes: 0, verdict };
    entries.set(key, entry);
    return entry;
  }

  return {
    accepted(by, subject, { ranges, bytes }) {
      if (scope !== "all") return;
      const entry = entryOf(`${by.principal}/${by.tokenId} ${subject}`, by, subject, "accepted");
      entry.bytes += bytes;
      for (const range of ranges) entry.ranges = withRange(entry.ranges, range);
    },
    refused(by, subject, { code, bytes }) {
      entryOf(`${by.principal}/${by.tokenId} ${code}`, by, subject, code).bytes += bytes;
    },
    get isEmpty() {
      return entries.size === 0;
    },
    take(at) {
      const taken = [...entries.values()].map((entry) => ({ ...entry, at }));
      entries.clear();
      return taken;
    },
  };
}

/** Of one client the ranges of a turn follow each other: they are one. */
function withRange(
  ranges: AuditEntry["ranges"],
  { client, from, to }: AuditEntry["ranges"][number],
): AuditEntry["ranges"] {
  const index = ranges.findIndex((range) => range.client === client);
  const known = ranges[index];
  if (known) return ranges.with(index, { ...known, to });
  return ranges.length < maxRanges ? [...ranges, { client, from, to }] : ranges;
}
