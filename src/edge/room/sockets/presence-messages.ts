import { encodeDocumentMessage, type PresenceEntry, parsePresence } from "../../../protocol/index.ts";
import { encodeAwareness } from "./awareness.ts";
import { controlPart, packFrames } from "./parts.ts";

/** A presence with the number of its change. */
export interface PresenceChange {
  change: number;
  entry: PresenceEntry;
}

/** Changes in one message; few in one that is shared, since it is encoded anew for each reader who is in it. */
const maxEntries = { room: 32, stock: 128 } as const;
/** Characters of states in one message: with the largest state past it, it still fits what every socket may be sent. */
const maxStates = 8 * 1024;

/** What is told to everybody who stands at one number. */
export interface PresenceNews {
  readonly changes: readonly PresenceChange[];
  /** The frames for a reader with this presence id; the very same for all who are not in them. */
  framesFor(id: number): Uint8Array[];
}

/** Encodes changes once for all their readers. */
export function createPresenceNews(changes: readonly PresenceChange[]): PresenceNews {
  const runs = toRuns(changes, "room").map((run) => ({ run, part: presencePart(run) }));
  const ids = new Set(changes.map(({ entry }) => entry.id));
  let shared: Uint8Array[] | undefined;
  return {
    changes,
    framesFor(id) {
      if (!ids.has(id)) {
        shared ??= packFrames(runs.map(({ part }) => part));
        return shared;
      }
      const parts = runs.flatMap(({ run, part }) => {
        const foreign = run.filter(({ entry }) => entry.id !== id);
        if (foreign.length === run.length) return part;
        return foreign.length > 0 ? presencePart(foreign) : [];
      });
      return packFrames(parts);
    },
  };
}

/** Changes in runs that fit one message. */
export function toRuns(
  changes: readonly PresenceChange[],
  kind: keyof typeof maxEntries,
): PresenceChange[][] {
  const runs: PresenceChange[][] = [];
  let run: PresenceChange[] = [];
  let length = 0;
  for (const each of changes) {
    if (run.length === 0) runs.push(run);
    run.push(each);
    length += each.entry.state?.length ?? 0;
    if (run.length < maxEntries[kind] && length < maxStates) continue;
    run = [];
    length = 0;
  }
  return runs;
}

/** The part of a frame that tells a room socket of these. */
export function presencePart(changes: readonly PresenceChange[]): Uint8Array {
  return controlPart({ type: "presences", entries: changes.map(({ entry }) => entry) });
}

/** The message that tells a stock client of these, under one clock of its own. */
export function awarenessMessage(changes: readonly PresenceChange[], clock: number): Uint8Array {
  const states = changes.map(({ entry: { id, state } }) => ({
    client: id,
    clock,
    state: awarenessOf(state),
  }));
  return encodeDocumentMessage({ type: "awareness", update: encodeAwareness(states) });
}

/** What a stock client is shown of a state: of a replica of ours, the application's awareness alone. */
function awarenessOf(state: string | undefined): string {
  if (state === undefined) return "null";
  const ours = parsePresence(state);
  return ours ? JSON.stringify(ours.awareness) : state;
}
