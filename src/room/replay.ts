import { FlockError } from "../base/index.ts";
import type { Documents } from "../crdt/index.ts";
import { compileFilter, type DeliveryBoard, type Message } from "../messaging/index.ts";
import { agentOf, everyone } from "../protocol/index.ts";
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
  const name = agent ?? agentOf(writer as string) ?? (writer as string);

  /** Whether a writer is one of the agent's. */
  function isOf(id: string): boolean {
    return namesAgent(name, agentOf(id) ?? id);
  }

  async function* read(): AsyncGenerator<ReplayedRecord, void, undefined> {
    const filters = [...documents.registers()].flatMap(([id, { consumers }]) =>
      isOf(id) ? Object.values(consumers).map((each) => compileFilter(each.filter, id, each)) : [],
    );

    function isTold(message: Message): boolean {
      const { to, writer } = message;
      if (to !== undefined && to !== everyone) return namesAgent(name, agentOf(to) ?? to);
      if (isOf(writer)) return false;
      return to === everyone || filters.some((filter) => filter.takes(message));
    }

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
