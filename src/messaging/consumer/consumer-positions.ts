import type { Undo } from "../../base/index.ts";
import type { Documents, Pen } from "../../crdt/index.ts";
import { agentOf, type ConsumerRecord, type LanePosition } from "../../protocol/index.ts";
import { type ConsumerStart, seekStart, startOf } from "./history-start.ts";
import { createLaneCursor, type LaneCursor } from "./lane-cursor.ts";
import { laneStart, samePosition } from "./position-union.ts";

/** Whether a handler is open for a consumer, as its writer's register says; `group` is the one that is asked for. */
export function isServed(consumer: ConsumerRecord | undefined, group?: string): boolean {
  return consumer !== undefined && consumer.closed === undefined && consumer.group === group;
}

/** A register's consumers, of which none is open any more, or yet. */
export function withoutServed(
  consumers: Readonly<Record<string, ConsumerRecord>>,
): Record<string, ConsumerRecord> {
  return Object.fromEntries(
    Object.entries(consumers).map(([name, consumer]) => [name, { ...consumer, closed: true as const }]),
  );
}

/** Where a consumer is in each lane: the union over its agent's writers, or its group's, published in its own register. */
export interface ConsumerPositions {
  /** Where it is in a lane, and before anything of it was passed, where it begins; another one once the lane is forgotten. */
  cursor(lane: string): LaneCursor;
  /** The same in the words of a register. */
  at(lane: string): LanePosition;
  /** Past what retention took. */
  jump(lane: string, below: number): void;
  /** Whether it is known where the consumer begins in a lane. */
  isPlaced(lane: string): boolean;
  /**
   * Finds that out in the sealed part of a lane; undefined where there is nothing to do for it but wait for registers.
   * It rejects with what reading history throws; the next call begins anew.
   */
  place(lane: string, signal: AbortSignal): Promise<void> | undefined;
  /** When the consumer began, where what was said before in a lane is none of its business; else undefined. */
  beganAt(lane: string): number | undefined;
  /** Whether it is known if anybody opened the consumer before: before that no new lane is placed. */
  readonly isKnown: boolean;
  /** Takes over what another writer's register says of this very consumer; gives the lanes of which that was news. */
  learn(writer: string): readonly string[];
  /** The agent's other registers are known, as far as they can be told. */
  caughtUp(): void;
  publish(): void;
  /** Says that no handler is open any more. */
  close: Undo;
}

export interface ConsumerPositionsOptions {
  /** The consumer's name. */
  name: string;
  declared: ConsumerRecord["filter"];
  /** Shares the position with every agent's consumers of this name and group, instead of with its agent's only. */
  group?: string | undefined;
  /** Where it begins if nobody has opened it before. */
  start: ConsumerStart;
  /** When it was opened, in milliseconds since the epoch. */
  since: number;
  writer: Pen;
  documents: Documents;
  /** A lane has departed. */
  onForgotten(lane: string): void;
}

/** Creates the positions from the registers that are here. */
export function createConsumerPositions(options: ConsumerPositionsOptions): ConsumerPositions {
  const { name, declared, group, start, since, writer, documents, onForgotten } = options;
  const agent = agentOf(writer.id);
  const cursors = new Map<string, LaneCursor>();
  /** Lanes that have a position: asked for at each message, until the lanes are settled. */
  const begun = new Set<string>();
  /** Lanes that departed in this session: an older register of another writer does not bring them back. */
  const departed = new Set<string>();
  /** Lanes in whose sealed part the consumer begins, at a place that is still looked for. */
  const unplaced = new Set<string>();
  /** Whether nobody opened this consumer before; undefined until that can be told. */
  let isNew: boolean | undefined;
  /** Whether every lane that there is has been heard of: one that appears from now on is read from its first entry. */
  let isSettled = false;
  let isClosed = false;
  /** As it was published last. */
  let published: Record<string, LanePosition> = {};

  /** What a register says of this consumer: a register moves no other agent's, but where both are in its group. */
  function sharedBy(id: string): ConsumerRecord | undefined {
    const consumer = documents.register(id)?.consumers[name];
    return consumer?.group === group && (group !== undefined || agentOf(id) === agent) ? consumer : undefined;
  }

  function learn(id: string): readonly string[] {
    const consumer = sharedBy(id);
    if (!consumer) return [];
    isNew = false;
    const news: string[] = [];
    for (const [lane, position] of Object.entries(consumer.lanes)) {
      if (!isGone(lane) && cursorOf(lane).learn(position)) news.push(lane);
    }
    return news;
  }

  function cursorOf(lane: string): LaneCursor {
    const present = cursors.get(lane);
    if (present) return present;
    const made = createLaneCursor();
    cursors.set(lane, made);
    if (isSettled) learnLane(lane, made);
    return made;
  }

  /** A register may tell of a lane before anything of the lane has come. */
  function learnLane(lane: string, cursor: LaneCursor): void {
    for (const id of documents.registers().keys()) {
      const position = sharedBy(id)?.lanes[lane];
      if (position) cursor.learn(position);
    }
  }

  function hasBegun(lane: string): boolean {
    if (begun.has(lane)) return true;
    const cursor = cursors.get(lane);
    if (!cursor || samePosition(cursor.record(), laneStart)) return false;
    begun.add(lane);
    return true;
  }

  /** Before the first join a lane that is not here may only not have come yet. */
  function isGone(lane: string): boolean {
    if (documents.register(lane) || documents.log.pages(lane).length > 0) return false;
    return departed.has(lane) || (isSettled && documents.hasRelay);
  }

  function forgetGone(): void {
    for (const lane of [...cursors.keys()].filter(isGone)) {
      cursors.delete(lane);
      begun.delete(lane);
      unplaced.delete(lane);
      onForgotten(lane);
    }
  }

  function settle(): void {
    if (isSettled || isNew === undefined || !(documents.online.get() || !documents.hasRelay)) return;
    if (isNew) for (const lane of documents.registers().keys()) begin(lane);
    isSettled = true;
    forgetGone();
    publish();
  }

  function begin(lane: string): void {
    if (hasBegun(lane) || unplaced.has(lane)) return;
    const position = startOf(lane, { start, since }, documents);
    if (position === "sealed") unplaced.add(lane);
    else if (position) cursorOf(lane).learn(position);
  }

  async function seek(lane: string, signal: AbortSignal): Promise<void> {
    const position = await seekStart(lane, { start, since, signal }, documents);
    // Another writer may have begun meanwhile, or the lane be gone.
    if (!unplaced.delete(lane)) return;
    if (position && !hasBegun(lane)) cursorOf(lane).learn(position);
    publish();
  }

  function publish(): void {
    const record = writer.register();
    if (!record || isClosed) return;
    const before = record.consumers[name];
    const lanes: Record<string, LanePosition> = {};
    for (const [lane, cursor] of cursors) if (hasBegun(lane)) lanes[lane] = cursor.record();
    if (before && isServed(before, group) && sameLanes(published, lanes, before.lanes)) return;
    published = lanes;
    const consumer = { filter: declared, ...(group !== undefined && { group }), lanes };
    writer.setRegister({ ...record, consumers: { ...record.consumers, [name]: consumer } });
  }

  /** A consumer that is to be opened again keeps where it was, and leaves its share to others until then. */
  function publishClosed(): void {
    publish();
    const record = writer.register();
    const consumer = record?.consumers[name];
    if (!record || !consumer) return;
    const closed = { ...consumer, closed: true as const };
    writer.setRegister({ ...record, consumers: { ...record.consumers, [name]: closed } });
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
    if (isNew && !isSettled) begin(lane);
    return cursorOf(lane);
  }

  return {
    cursor,
    at: (lane) => cursor(lane).record(),
    jump: (lane, below) => cursorOf(lane).jump(below),
    isPlaced(lane) {
      if (unplaced.has(lane) && hasBegun(lane)) unplaced.delete(lane);
      if (unplaced.has(lane)) return false;
      return isNew !== undefined || startOf(lane, { start, since }, documents) === undefined;
    },
    place: (lane, signal) => (unplaced.has(lane) ? seek(lane, signal) : undefined),
    beganAt: (lane) => (isNew && !hasBegun(lane) ? since : undefined),
    get isKnown() {
      return isNew !== undefined;
    },
    learn,
    caughtUp() {
      isNew ??= true;
      if (isNew) for (const lane of documents.registers().keys()) begin(lane);
      settle();
      publish();
    },
    publish,
    close() {
      if (isClosed) return;
      publishClosed();
      isClosed = true;
      for (const stop of stops) stop();
    },
  };
}

/** Whether what is to be published is what was, by identity, or else by what the register says. */
function sameLanes(
  published: Readonly<Record<string, LanePosition>>,
  lanes: Readonly<Record<string, LanePosition>>,
  before: Readonly<Record<string, LanePosition>>,
): boolean {
  const names = Object.keys(lanes);
  if (names.length !== Object.keys(before).length) return false;
  return names.every((lane) => {
    const [now, then] = [lanes[lane], before[lane]];
    return then !== undefined && now !== undefined && (now === published[lane] || samePosition(now, then));
  });
}
