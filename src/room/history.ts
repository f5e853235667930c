import { FlockError, parseWriterId, timestampFromMs, timestampToMs } from "../base/index.ts";
import type { Documents, Entry } from "../crdt/index.ts";
import { type Message, readMessage } from "../messaging/index.ts";
import { agentOf, type Json, type JsonObject, messageKind } from "../protocol/index.ts";
import { mergeSources } from "./history-merge.ts";
import { type HistoryCursor, placeOf } from "./history-order.ts";
import { type HistoryRange, inOrder, sourcesOf } from "./history-sources.ts";

/** What of a room's history is wanted; default all of it. */
export interface HistoryFilter {
  /** What an agent said: `planner` for every principal's, or `alice.planner`. */
  from?: string;
  /** Messages that name an agent, or a writer of it; for `alice.planner` those to every `planner` too. */
  to?: string;
  /** What one writer said. */
  writer?: string;
  /** Messages of a type. */
  type?: string;
  /** Messages to a topic. */
  topic?: string;
  /** Messages of a conversation. */
  conversation?: string;
  /** Entries of a kind: `message`, or one that a view reads. */
  kind?: string;
  /** Later than this, in milliseconds since the epoch, by the writer's clock. */
  after?: number;
  /** Earlier than this. */
  before?: number;
}

export interface HistoryOptions extends HistoryFilter {
  /** Default `newest` first. */
  order?: "newest" | "oldest";
  /** At most so many records. Default: all. */
  limit?: number;
  /** Goes on behind the record that gave it, in the order of this call. */
  cursor?: HistoryCursor | undefined;
  signal?: AbortSignal | undefined;
  /**
   * Told where a sealed page can't be had; what that lane has beyond it is left out, and the others go on. Default: the
   * iteration throws.
   */
  onMissing?: (failure: FlockError) => void;
}

/** One thing that was said. */
export interface HistoryRecord {
  /** `writer/page/index` */
  readonly id: string;
  readonly writer: string;
  /** Milliseconds since the epoch, by the writer's hybrid clock. */
  readonly at: number;
  readonly kind: string;
  readonly body: Json;
  /** The message, where it is one. Content by reference is not fetched: `room.refs.resolve(message.reference)` does. */
  readonly message?: Message;
  /** Where another call goes on behind this record. */
  readonly cursor: HistoryCursor;
}

/** Reads what was said, in the order of clock, writer, page and index. */
export async function* readHistory(
  documents: Documents,
  options: HistoryOptions,
): AsyncGenerator<HistoryRecord, void, undefined> {
  const { order = "newest", limit = Number.POSITIVE_INFINITY, signal } = options;
  if (limit <= 0) return;
  signal?.throwIfAborted();
  const range = rangeOf(options, order);
  const writers = new Set([...documents.registers().keys(), ...documents.log.writers()]);
  const sources = [...writers]
    .filter((writer) => isOfWriter(writer, options))
    .flatMap((writer) => sourcesOf(writer, documents, range));
  const close = (reason: unknown): void => {
    for (const source of sources) source.close(reason);
  };
  const abort = (): void => close(signal?.reason);
  signal?.addEventListener("abort", abort, { once: true });
  let left = limit;
  try {
    const { isNewestFirst } = range;
    const merged = mergeSources(sources, {
      compare: inOrder(range),
      isNewestFirst,
      onMissing: options.onMissing,
    });
    for await (const entry of merged) {
      signal?.throwIfAborted();
      const record = recordOf(entry, options);
      if (!record) continue;
      yield record;
      if (--left <= 0) return;
    }
    signal?.throwIfAborted();
  } finally {
    signal?.removeEventListener("abort", abort);
    close(new FlockError("crdt/closed", "The reading of history has ended."));
  }
}

function rangeOf({ after, before, cursor }: HistoryOptions, order: "newest" | "oldest"): HistoryRange {
  return {
    isNewestFirst: order === "newest",
    after: after === undefined ? -1 : timestampFromMs(after + 1) - 1,
    before: before === undefined ? Number.POSITIVE_INFINITY : timestampFromMs(before),
    cursor: cursor && placeOf(cursor),
  };
}

function isOfWriter(writer: string, filter: HistoryFilter): boolean {
  if (filter.writer !== undefined && filter.writer !== writer) return false;
  const parts = parseWriterId(writer);
  return (
    filter.from === undefined ||
    (parts !== undefined && namesAgent(filter.from, `${parts.principal}.${parts.agent}`))
  );
}

/** Whether two names of agents, each with a principal or without, may mean one agent. */
export function namesAgent(one: string, other: string): boolean {
  const [a = "", b = ""] = [one, other].map((name) => name.slice(name.indexOf(".") + 1));
  return a === b && (!one.includes(".") || !other.includes(".") || one === other);
}

function recordOf(entry: Entry, filter: HistoryFilter): HistoryRecord | undefined {
  if (!fits(entry, filter)) return undefined;
  const message = readMessage(entry);
  if (!message && asksForMessages(filter)) return undefined;
  const { id, writer, clock, kind, body } = entry;
  return Object.freeze({
    id,
    writer,
    at: timestampToMs(clock),
    kind,
    body,
    ...(message && { message }),
    cursor: Object.freeze({ clock, id }),
  });
}

function asksForMessages({ to, type, topic, conversation }: HistoryFilter): boolean {
  return [to, type, topic, conversation].some((each) => each !== undefined);
}

/** A look that costs little; of a message its schema has the last word. */
function fits({ kind, body }: Entry, filter: HistoryFilter): boolean {
  if (filter.kind !== undefined && filter.kind !== kind) return false;
  if (!asksForMessages(filter)) return true;
  if (kind !== messageKind || typeof body !== "object" || body === null || Array.isArray(body)) return false;
  const { to, type, topic, conversation } = body as JsonObject;
  if (filter.type !== undefined && filter.type !== type) return false;
  if (filter.topic !== undefined && filter.topic !== topic) return false;
  if (filter.conversation !== undefined && filter.conversation !== conversation) return false;
  return filter.to === undefined || (typeof to === "string" && namesAgent(filter.to, agentOf(to) ?? to));
}
