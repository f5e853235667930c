import { isFlockError } from "../../base/index.ts";
import type { Documents, Entry } from "../../crdt/index.ts";
import { parseEntryId } from "../../protocol/index.ts";
import { type Message, readMessage } from "./message.ts";

/** What a message was made from. */
export interface Provenance {
  readonly message: Message;
  /** Those of the message and of everything that it was made from, whatever the messages between say of themselves. */
  readonly labels: readonly string[];
  /** The messages that it was made from, the nearest first, each once. */
  readonly sources: readonly Message[];
  /** Ids of what it was made from and nobody can read: past retention, never there, or not here yet. */
  readonly missing: readonly string[];
  /** False where `depth`, or 1,000 entries, ended the search: there may be more sources, and labels. */
  readonly isWhole: boolean;
}

export interface ProvenanceOptions {
  signal?: AbortSignal;
  /** How many steps back; default 64. */
  depth?: number;
}

/** Whoever can write a message can name 33 others in it. */
const maxEntries = 1_000;

/**
 * Reads what a message was made from: its parent, its sources, and theirs, live or sealed. Undefined where there is no
 * such message.
 *
 * @throws `refstore/unavailable` where a sealed part is out of reach, and the signal's reason
 */
export async function readProvenance(
  { history }: Pick<Documents, "history">,
  id: string,
  { signal, depth = 64 }: ProvenanceOptions = {},
): Promise<Provenance | undefined> {
  const root = await entryOf(id);
  const message = root && readMessage(root);
  if (!root || !message) return undefined;
  const sources: Message[] = [];
  const missing: string[] = [];
  const labels = new Set(message.labels);
  /** An entry names whatever its writer likes, also one that names it back. */
  const seen = new Set([root.id]);
  let isWhole = true;

  async function take(parent: string): Promise<Entry[]> {
    const entry = await entryOf(parent);
    if (!entry) {
      missing.push(parent);
      return [];
    }
    const source = readMessage(entry);
    if (source) sources.push(source);
    for (const label of source?.labels ?? []) labels.add(label);
    return [entry];
  }

  async function entryOf(named: string): Promise<Entry | undefined> {
    try {
      return await history.entry(named, { signal });
    } catch (failure) {
      if (signal?.aborted || !isFlockError(failure) || outOfReach.has(failure.code)) throw failure;
      return undefined;
    }
  }

  let level = [root];
  for (let step = 0; level.length > 0; step++) {
    const parents = [...new Set(level.flatMap(parentsOf))].filter((parent) => !seen.has(parent));
    const left = step < depth ? Math.max(0, maxEntries - seen.size) : 0;
    if (parents.length > left) isWhole = false;
    level = [];
    for (const parent of parents.slice(0, left)) {
      seen.add(parent);
      level.push(...(await take(parent)));
    }
  }
  return { message, labels: [...labels], sources, missing, isWhole };
}

const outOfReach: ReadonlySet<string> = new Set(["refstore/unavailable", "refstore/closed"]);

/** What an entry says that it rests on, or that its message was made from: a sender may say only one of the two. */
function parentsOf(entry: Entry): string[] {
  const { parent, sources = [] } = readMessage(entry) ?? {};
  const named = parent !== undefined && parseEntryId(parent) ? [parent] : [];
  return [...named, ...sources, ...entry.parents];
}
