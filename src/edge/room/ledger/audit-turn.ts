import type { Acceptance } from "../../../protocol/index.ts";
import type { Grant } from "../grant.ts";
import type { AuditEntry } from "../ports.ts";

/** Which verdicts the audit trail keeps. */
export type AuditScope = "all" | "refused";

/** Clocks of more Yjs clients in one entry are counted in its bytes only. */
const maxRanges = 32;

interface Gathered extends AuditEntry {
  ranges: { client: number; from: number; to: number }[];
}

/** What the present turn adds to the audit trail. */
export interface AuditTurn {
  /** Notes an accepted update: one entry for each token and document. */
  accepted(by: Grant, subject: string, of: Pick<Acceptance, "ranges"> & { bytes: number }): void;
  /** Notes documents that go: one entry for each token and subject. */
  dropped(by: Pick<Grant, "principal" | "tokenId">, subject: string, of: { bytes: number }): void;
  /** Notes a refusal: one entry for each token and code, which names the first document. */
  refused(by: Grant, subject: string, of: { code: string; bytes: number }): void;
  readonly isEmpty: boolean;
  take(atMs: number): AuditEntry[];
}

/** Creates an empty turn. */
export function createAuditTurn(scope: AuditScope): AuditTurn {
  const entries = new Map<string, Gathered>();
  /** What a pour adds to again and again. */
  let last: { by: Grant; subject: string; entry: Gathered } | undefined;

  function entryOf(
    key: string,
    { principal, tokenId }: Pick<Grant, "principal" | "tokenId">,
    subject: string,
    verdict: string,
  ): Gathered {
    const known = entries.get(key);
    if (known) return known;
    const entry: Gathered = { at: 0, principal, tokenId, subject, ranges: [], bytes: 0, verdict };
    entries.set(key, entry);
    return entry;
  }

  function acceptedOf(by: Grant, subject: string): Gathered {
    if (last?.by === by && last.subject === subject) return last.entry;
    const entry = entryOf(`${by.principal}/${by.tokenId} ${subject}`, by, subject, "accepted");
    last = { by, subject, entry };
    return entry;
  }

  return {
    accepted(by, subject, { ranges, bytes }) {
      if (scope !== "all") return;
      const entry = acceptedOf(by, subject);
      entry.bytes += bytes;
      for (const range of ranges) addRange(entry.ranges, range);
    },
    dropped(by, subject, { bytes }) {
      entryOf(`${by.principal}/${by.tokenId} ${subject} dropped`, by, subject, "dropped").bytes += bytes;
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
      last = undefined;
      return taken;
    },
  };
}

/** Of one client the ranges of a turn follow each other: they are one. */
function addRange(ranges: Gathered["ranges"], { client, from, to }: Gathered["ranges"][number]): void {
  const known = ranges.find((range) => range.client === client);
  if (known) known.to = to;
  else if (ranges.length < maxRanges) ranges.push({ client, from, to });
}
