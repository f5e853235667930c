import { FlockError, parseWriterId } from "../base/index.ts";
import type { Documents } from "../crdt/index.ts";
import { type DeliveryBoard, type Message, matchesRecord } from "../messaging/index.ts";
import { everyone } from "../protocol/index.ts";
import { type HistoryOptions, type HistoryRecord, namesAgent, readHistory } from "./history.ts";

/** Whose work is to be replayed. */
export interface ReplayOptions extends Pick<HistoryOptions, "after" | "cursor" | "signal" | "onMissing"> {
  /** An agent, over all its writers: `planner` for every principal's, or `alice.planner`. Or give a writer. */
  agent?: string;
  /** One writer of an agent: what this one said, and what the agent was told. */
  writer?: string;
}

/** One thing that an agent said, or was told. */
export interface ReplayedRecord extends HistoryRecord {
  /** Whether it said this itself. */
  readonly isSaid: boolean;
  /** Whether one of its consumers has passed this message; undefined where it was not told it. */
  readonly isAcknowledged?: boolean;
}

/** Reads what an agent said and was told, the oldest first. @throws `room/invalid-options` */
export function readReplay(
  documents: Documents,
  board: DeliveryBoard,
  { agent, writer, ...options }: ReplayOptions,
): AsyncGenerator<ReplayedRecord, void, undefined> {
  if ((agent === undefined) === (writer === undefined)) {
    throw new FlockError("room/invalid-options", "A replay is of exactly one: give `agent` or `writer`.");
  }
  const name = agent ?? agentOf(writer as string);

  /** Whether a writer is one of the agent's. */
  function isOf(id: string): boolean {
    return namesAgent(name, agentOf(id));
  }

  function isTold(message: Message): boolean {
    if (message.to !== undefined && message.to !== everyone) return namesAgent(name, agentOf(message.to));
    if (isOf(message.writer)) return false;
    if (message.to === everyone) return true;
    for (const [id, { consumers }] of documents.registers()) {
      if (!isOf(id)) continue;
      if (Object.values(consumers).some(({ filter }) => matchesRecord(filter, message, id))) return true;
    }
    return false;
  }

  async function* read(): AsyncGenerator<ReplayedRecord, void, undefined> {
    for await (const record of readHistory(documents, { ...options, order: "oldest" })) {
      const { message } = record;
      const isSaid = writer === undefined ? isOf(record.writer) : record.writer === writer;
      const isAcknowledged =
        message && isTold(message) ? board.isDelivered(message, { of: isOf }) : undefined;
      if (!isSaid && isAcknowledged === undefined) continue;
      yield Object.freeze({ ...record, isSaid, ...(isAcknowledged !== undefined && { isAcknowledged }) });
    }
  }
  return read();
}

/** `principal.agent` of a writer; what is no writer names no agent. */
function agentOf(writer: string): string {
  const parts = parseWriterId(writer);
  return parts ? `${parts.principal}.${parts.agent}` : writer;
}
