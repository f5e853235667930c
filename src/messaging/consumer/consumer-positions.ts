import type { Undo } from "../../base/index.ts";
import type { Documents, Pen } from "../../crdt/index.ts";
import type { ConsumerRecord, LanePosition } from "../../protocol/index.ts";
import { type ConsumerStart, startOf } from "./history-start.ts";
import { jump, laneStart, samePosition, union } from "./position.ts";

/** Where a consumer is in each lane: the union over its agent's writers, published in the register of its own. */
export interface ConsumerPositions {
  /** Where the lane is to be read from; before anything of it was passed, where the consumer begins. */
  at(lane: string): LanePosition;
  /** Whether it is known where the consumer begins in a lane. */
  isPlaced(lane: string): boolean;
  /** When the consumer began, where what was said before in a lane is none of its business; else undefined. */
  beganAt(lane: string): number | undefined;
  /** Goes on to a position that was made of the present one. */
  pass(lane: string, to: LanePosition): void;
  /** Past what retention took. */
  jump(lane: string, below: number): void;
  /** Takes over what another writer of this agent, or this one before, has passed. */
  learn(consumer: ConsumerRecord | undefined): void;
  /** The agent's other registers are known, as far as they can be told. */
  caughtUp(): void;
  publish(): void;
  close: Undo;
}

export interface ConsumerPositionsOptions {
  /** The consumer's name. */
  name: string;
  declared: ConsumerRecord["filter"];
  /** Where it begins if no writer of the agent has opened it before. */
  start: ConsumerStart;
  /** When it was opened, in milliseconds since the epoch. */
  since: number;
  writer: Pen;
  /** Writers of the same agent. */
  isOwnAgent(writer: string): boolean;
  documents: Documents;
  /** A lane has departed. */
  onForgotten(lane: string): void;
}

/** Creates the positions from the registers that are here. */
export function createConsumerPositions(options: ConsumerPositionsOptions): ConsumerPositions {
  const { name, declared, start, since, writer, isOwnAgent, documents, onForgotten } = options;
  const positions = new Map<string, LanePosition>();
  /** Lanes that departed in this session: an older register of another writer does not bring them back. */
  const departed = new Set<string>();
  /** Whether nobody opened this consumer before; undefined until that can be told. */
  let isNew: boolean | undefined;
  /** Whether every lane that there is has been heard of: one that appears from now on is read from its first entry. */
  let isSettled = false;
  let isClosed = false;

  function learn(consumer: ConsumerRecord | undefined): void {
    if (consumer) isNew = false;
    for (const [lane, position] of Object.entries(consumer?.lanes ?? {})) {
      if (!isGone(lane)) positions.set(lane, union(positions.get(lane) ?? laneStart, position));
    }
  }

  /** Before the first join a lane that is not here may only not have come yet. */
  function isGone(lane: string): boolean {
    if (documents.register(lane) || documents.log.pages(lane).length > 0) return false;
    return departed.has(lane) || (isSettled && documents.hasRelay);
  }

  function forgetGone(): void {
    for (const lane of [...positions.keys()].filter(isGone)) {
      positions.delete(lane);
      onForgotten(lane);
    }
  }

  function settle(): void {
    if (isSettled || isNew === undefined || !(documents.online.get() || !documents.hasRelay)) return;
    if (isNew) for (const lane of documents.registers().keys()) place(lane);
    isSettled = true;
    forgetGone();
    publish();
  }

  function place(lane: string): void {
    const begin = positions.has(lane) ? undefined : startOf(lane, { start, since }, documents);
    if (begin) positions.set(lane, begin);
  }

  function publish(): void {
    const record = writer.register();
    if (!record || isClosed) return;
    const before = record.consumers[name];
    const lanes = Object.fromEntries(positions);
    if (before && samePositions(before.lanes, lanes)) return;
    writer.setRegister({
      ...record,
      consumers: { ...record.consumers, [name]: { filter: declared, lanes } },
    });
  }

  const stops = [
    documents.online.subscribe(settle),
    documents.registerChanged.on((lane) => {
      if (documents.register(lane)) departed.delete(lane);
      else {
        departed.add(lane);
        forgetGone();
      }
    }),
  ];

  for (const [id, record] of documents.registers()) if (isOwnAgent(id)) learn(record.consumers[name]);
  if (isNew !== undefined) settle();
  // Before it can be told whether the consumer is new: one that dies meanwhile has been there, and gets more, not less.
  publish();

  return {
    at(lane) {
      if (isNew && !isSettled) place(lane);
      return positions.get(lane) ?? laneStart;
    },
    isPlaced: (lane) => isNew !== undefined || startOf(lane, { start, since }, documents) === undefined,
    beganAt: (lane) => (isNew && !positions.has(lane) ? since : undefined),
    pass: (lane, to) => void positions.set(lane, to),
    jump(lane, below) {
      const now = positions.get(lane) ?? laneStart;
      if (now.below < below) positions.set(lane, jump(now, below));
    },
    learn,
    caughtUp() {
      isNew ??= true;
      if (isNew) for (const lane of documents.registers().keys()) place(lane);
      settle();
      publish();
    },
    publish,
    close() {
      isClosed = true;
      for (const stop of stops) stop();
    },
  };
}

function samePositions(a: Record<string, LanePosition>, b: Record<string, LanePosition>): boolean {
  const lanes = Object.keys(a);
  return (
    lanes.length === Object.keys(b).length &&
    lanes.every((lane) => {
      const [left, right] = [a[lane], b[lane]];
      return left !== undefined && right !== undefined && samePosition(left, right);
    })
  );
}
