import * as Y from "yjs";
import type { Evidence, Member, NamedUpdate } from "./member.ts";

/** Held against each room after each kill; the numbers are those of `docs/spec.md`. */
export interface RoomOnTrial {
  evidence: Evidence;
  members: readonly Member[];
  /** A replica that joined from zero after the kill. */
  fresh: Member;
}

/** What of the promises is broken: empty for a relay that keeps them. */
export function judge({ evidence, members, fresh }: RoomOnTrial): string[] {
  const written = new Map<string, NamedUpdate[]>();
  for (const member of members) {
    for (const [name, doc] of member.docs) {
      written.set(name, [...(written.get(name) ?? []), { name, update: Y.encodeStateAsUpdate(doc) }]);
    }
  }
  // A drop that was cut off leaves the whole document, or none of it.
  const isThere = ({ name }: NamedUpdate) => !evidence.doomed.has(name) || fresh.docs.has(name);
  return [
    ...evidence.violations,
    ...undone(evidence, fresh),
    ...missing(fresh, evidence.acknowledged.filter(isThere)).map(
      (name) => `KILL-1: ${name} lost an acknowledged update`,
    ),
    ...members.flatMap(({ received }) =>
      missing(fresh, received.filter(isThere)).map(
        (name) => `KILL-2: a reader of ${name} is ahead of the disk`,
      ),
    ),
    ...[...fresh.docs].flatMap(([name, doc]) => [
      ...(doc.store.pendingStructs || doc.store.pendingDs
        ? [`KILL-4: the rows of ${name} do not replay: something before them is missing`]
        : []),
      ...(holdsMore(doc, merged(written.get(name) ?? [])) ? [`KILL-4: ${name} holds what nobody wrote`] : []),
    ]),
  ];
}

/** The drops that were acknowledged, and yet a replica is sent the document. */
export function undone({ dropped }: Evidence, fresh: Member): string[] {
  return [...dropped].filter((name) => fresh.docs.has(name)).map((name) => `KILL-8: ${name} came back`);
}

/** The documents of which two replicas hold different states; what may be gone tells nothing. */
export function differences(one: Member, other: Member, { doomed }: Evidence): string[] {
  return [...new Set([...one.docs.keys(), ...other.docs.keys()])].filter((name) => {
    if (doomed.has(name)) return false;
    const [left, right] = [one.docs.get(name) ?? new Y.Doc(), other.docs.get(name) ?? new Y.Doc()];
    return !Y.equalSnapshots(Y.snapshot(left), Y.snapshot(right));
  });
}

/** The documents of which a replica lacks some of these updates. */
function missing(replica: Member, updates: readonly NamedUpdate[]): string[] {
  const byName = new Map<string, NamedUpdate[]>();
  for (const each of updates) byName.set(each.name, [...(byName.get(each.name) ?? []), each]);
  return [...byName]
    .filter(([name, some]) => holdsMore(merged(some), replica.docs.get(name) ?? new Y.Doc()))
    .map(([name]) => name);
}

function merged(updates: readonly NamedUpdate[]): Y.Doc {
  const doc = new Y.Doc();
  for (const { update } of updates) Y.applyUpdate(doc, update);
  return doc;
}

/** Whether a replica holds anything that another one lacks, or that waits in it for something missing. */
function holdsMore(one: Y.Doc, other: Y.Doc): boolean {
  const both = new Y.Doc();
  Y.applyUpdate(both, Y.encodeStateAsUpdate(other));
  Y.applyUpdate(both, Y.encodeStateAsUpdate(one));
  if (both.store.pendingStructs || both.store.pendingDs) return true;
  return !Y.equalSnapshots(Y.snapshot(both), Y.snapshot(other));
}
