import type { Undo } from "../../base/index.ts";
import type { Documents, Pen } from "../../crdt/index.ts";
import type { ConsumerRecord, LanePosition } from "../../protocol/index.ts";
import { type ConsumerStart, startOf } from "./history-start.ts";
import { createLaneCursor, type LaneCursor } from "./lane-cursor.ts";
import { laneStart, samePosition } from "./position.ts";

/** Whether a handler is open for a consumer, as its writer's register says; `group` is the one that is asked for. */
export function isServed(consumer: ConsumerRecord | undefined, group?: string): boolean {
  return consumer !== undefined && consumer.closed === undefined && consumer.group === group;
}

/** Where a consumer is in each lane: the union over its agent's writers, published in the register of its own. */
export interface ConsumerPositions {
  /** Where it is in a lane, and before anything of it was passed, where it begins; another one once the lane is forgotten. */
  cursor(lane: string): LaneCursor;
  /** Of the cursor. */
  at(lane: string): LanePosition;
  /** Whether it is known where the consumer begins in a lane. */
  isPlaced(lane: string): boolean;
  /** When the consumer began, where what was said before in a lane is none of its business; else undefined. */
  beganAt(lane: string): number | undefined;
  /** Goes on to a position that was made of the present one. */
  pass(lane: string, to: LanePosition): void;
  /** Past what retention took. */
  jump(lane: string, below: number): void;
  /** Takes over what another writer's register says of this very consumer; tells whether that was news. */
  learn(writer: string): boolean;
  /** The agent's other registers are known, as far as they can be told. */
  caughtUp(): void;
  publish(): void;
  close: Undo;
}

export interface ConsumerPositionsOptions {
  /** The consumer's name. */
  name: string;
  declared: ConsumerRecord["filter"];
  /** Shares the position with every agent's consumers of this name and group, instead of with its agent's only. */
  group?: string | undefined;
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
  const { name, declared, group, start, since, writer, isOwnAgent, documents, onForgotten } = options;
  const cursors = new Map<string, LaneCursor>();
  /** Lanes that departed in this session: an older register of another writer does not bring them back. */
  const departed = new Set<string>();
  /** Whether nobody opened this consumer before; undefined until that can be told. */
  let isNew: boolean | undefined;
  /** Whether every lane that there is has been heard of: one that appears from now on is read from its first entry. */
  let isSettled = false;
  let isClosed = false;

  /** What a register says of this consumer: a register moves no other agent's, but where both are in its group. */
  function sharedBy(id: string): ConsumerRecord | undefined {
    const consumer = documents.register(id)?.consumers[name];
    return consumer?.group === group && (group !== undefined || isOwnAgent(id)) ? consumer : undefined;
  }

  function learn(id: string): boolean {
    const consumer = sharedBy(id);
    if (!consumer) return false;
    isNew = false;
    let isNews = false;
    for (const [lane, position] of Object.entries(consumer.lanes)) {
      if (!isGone(lane) && cursorOf(lane).learn(position)) isNews = true;
    }
    return isNews;
  }

  function cursorOf(lane: string): LaneCursor {
    const present = cursors.get(lane);
    if (present) return present;
    const made = createLaneCursor();
    cursors.set(lane, made);
    return made;
  }

  function hasBegun(lane: string): boolean {
    const cursor = cursors.get(lane);
    return cursor !== undefined && !samePosition(cursor.record(), laneStart);
  }

  /** Before the first join a lane that is not here may only not have come yet. */
  function isGone(lane: string): boolean {
    if (documents.register(lane) || documents.log.pages(lane).length > 0) return false;
    return departed.has(lane) || (isSettled && documents.hasRelay);
  }

  function forgetGone(): void {
    for (const lane of [...cursors.keys()].filter(isGone)) {
      cursors.delete(lane);
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
    const begin = hasBegun(lane) ? undefined : startOf(lane, { start, since }, documents);
    if (begin) cursorOf(lane).learn(begin);
  }

  function publish(): void {
    const record = writer.register();
    if (!record || isClosed) return;
    const before = record.consumers[name];
    const lanes: Record<string, LanePosition> = {};
    for (const [lane, cursor] of cursors) if (hasBegun(lane)) lanes[lane] = cursor.record();
    if (isServed(before, group) && before && samePositions(before.lanes, lanes)) return;
    const consumer = { filter: declared, ...(group !== undefined && { group }), lanes };
    writer.setRegister({ ...record, consumers: { ...record.consumers, [name]: consumer } });
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

  for (const id of documents.registers().keys()) learn(id);
  if (isNew !== undefined) settle();
  // Before it can be told whether the consumer is new: one that dies meanwhile has been there, and gets more, not less.
  publish();

  function cursor(lane: string): LaneCursor {
    if (isNew && !isSettled) place(lane);
    return cursorOf(lane);
  }

  return {
    cursor,
    at: (lane) => cursor(lane).record(),
    isPlaced: (lane) => isNew !== undefined || startOf(lane, { start, since }, documents) === undefined,
    beganAt: (lane) => (isNew && !hasBegun(lane) ? since : undefined),
    pass: (lane, to) => void cursors.set(lane, createLaneCursor(to)),
    jump: (lane, below) => cursorOf(lane).jump(below),
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
