/**
 * A consumer, from the lanes to its handler:
 *
 * - What is there: `consumer-lanes.ts` has the lanes, each with a `lane-supply.ts` that joins what is live to what
 *   `history-lane.ts` reads of the sealed part, a few lanes at a time (`history-turns.ts`).
 * - What is done: `consumer-positions.ts` keeps a `lane-cursor.ts` for each lane, joins what other writers' registers say
 *   (`position-union.ts`), and publishes when `publisher.ts` says so; `position.ts` reads a position against the pages at
 *   hand, `ranges.ts` is its arithmetic, `history-start.ts` finds where a new consumer begins.
 * - What is next: `offering.ts` walks a lane from its cursor, and makes a `delivery.ts` of each entry that the filter takes
 *   and that `share.ts` (by `rendezvous.ts`) says is this writer's; `schedule.ts` (on a `heap.ts`) picks the most urgent.
 * - What becomes of it: `handling.ts` takes it from there, by the `delivery-rules.ts`. `preparing.ts` has its content come,
 *   `stored-counts.ts` counts it on disk where the page may die of it, the handler says its word through
 *   `handler-context.ts`, and `giving-up.ts` writes the letter of one that is not handled.
 *
 * This file turns the wheel: whatever happens marks lanes to be looked at and queues a turn, and a turn looks at them, fills
 * free hands, and sets the one `timer.ts` to what is next. A delivery is waiting (it has a slot in the schedule), or in hand
 * (while it is prepared, counted or handled), or being given up; it ends when the position passes its entry.
 */
import type { Clock, FlockError, Undo } from "../../base/index.ts";
import type { Documents, Entry, Pen } from "../../crdt/index.ts";
import {
  agentOf,
  type DeadLetterBody,
  formatPageName,
  maxAhead,
  parseEntryId,
} from "../../protocol/index.ts";
import { compileFilter, declaredOf, type MessageFilter } from "../filter/filter.ts";
import type { Message, ReceivedMessage } from "../message/message.ts";
import type { Responder } from "../requests/responder.ts";
import { type ConsumerLane, createConsumerLanes } from "./consumer-lanes.ts";
import { createConsumerPositions } from "./consumer-positions.ts";
import type { Delivery } from "./delivery.ts";
import { type ConsumerDelivery, deliveryRules } from "./delivery-rules.ts";
import type { MessageHandler } from "./handler-context.ts";
import { createHandling, type HandlingOptions } from "./handling.ts";
import type { ConsumerStart } from "./history-start.ts";
import type { GapHandler } from "./lane-supply.ts";
import { createOffering, type LaneDelivery } from "./offering.ts";
import { createPublisher } from "./publisher.ts";
import { createSchedule } from "./schedule.ts";
import { createShare } from "./share.ts";
import { createTimer } from "./timer.ts";

export interface ConsumerOptions extends ConsumerDelivery {
  name: string;
  filter: MessageFilter;
  handler: MessageHandler;
  /** Sends what handlers say to whoever asked. */
  responder: Responder;
  onGap?: GapHandler | undefined;
  /** Where it begins if no writer of the agent has opened it before. */
  start: ConsumerStart;
  /** Agents that consume under this name and group share its messages among them. */
  group?: string | undefined;
  writer: Pen;
  /** Whether the writer had a past here; a new one first waits until it knows the agent's other registers. */
  resumed: boolean;
  /** Lanes that need not wait for that. */
  knownLanes?: ReadonlySet<string> | undefined;
  documents: Documents;
  clock: Clock;
  /**
   * Gives a message its content; waits for references. What it rejects with as `messaging/invalid-content` or
   * `messaging/invalid-message` is never delivered.
   */
  resolve(message: Message, signal: AbortSignal): ReceivedMessage | Promise<ReceivedMessage>;
  /**
   * The other message, of the same sender and idempotency key, that this one repeats: where that one is done, as `isDone`
   * says of the consumer, this one is passed in silence, and else it waits.
   */
  duplicateOf?: HandlingOptions<Delivery>["duplicateOf"];
  /** Why a request was taken back; undefined where it was not. */
  cancelled?: ((id: string) => string | undefined) | undefined;
  onCancelled?: ((listener: (cancelled: { readonly id: string }) => void) => Undo) | undefined;
  /** Says that a message was given up; resolves once that is in the log. */
  giveUp(letter: DeadLetterBody, restsOn?: readonly string[]): Promise<void>;
  onProblem(error: FlockError): void;
}

/** Pages that are held for a consumer past its position, of each lane: what is past them is read from history. */
const heldPages = 8;
/** Handlers that do not wait are called for so long before others get a turn; so are such turns, one after the other, ... */
const longestTurnMs = 8;
/** ... where they are so many: who waits for the network or the disk in between lets others have it anyway. */
const turnsAtOnce = 32;

/**
 * Opens a durable consumer: every matching message is handled at least once or given up as a dead letter, by one of the
 * writers that are present, or a gap tells that retention took it.
 *
 * @throws `messaging/invalid-options`
 */
export function openConsumer(options: ConsumerOptions): Undo {
  const { name, filter, group, writer, resumed, knownLanes, documents, clock, onProblem } = options;
  const rules = deliveryRules(options, group);
  const { order, maxInFlight } = rules;
  const agent = agentOf(writer.id) ?? writer.id;
  const declared = declaredOf(filter);
  const compiled = compileFilter(declared, writer.id, group === undefined ? {} : { group });
  const dirty = new Set<ConsumerLane>();
  /** What the position has not passed yet, by the entry. */
  const deliveries = new Map<string, LaneDelivery>();
  /** The marks of each lane, as they were last heard. */
  const marked = new Map<string, string>();
  const timer = createTimer(clock, () => {
    turns = 0;
    queue();
  });
  const schedule = createSchedule<LaneDelivery>({ order, maxInFlight, maxWaiting: maxAhead });
  const share = createShare({ name, group, order, writer, documents });
  const lanes = createConsumerLanes({
    documents,
    positions: () => positions,
    clock,
    onGap: options.onGap,
    consumer: name,
    agent,
    onBrought(lane) {
      publisher.touch();
      wake(lane);
    },
    onProblem,
  });
  const positions = createConsumerPositions({
    name,
    declared,
    group,
    start: options.start,
    since: clock.now(),
    writer,
    documents,
    onForgotten: forget,
  });
  const publisher = createPublisher(clock, () => {
    handling.count();
    positions.publish();
  });
  const handling = createHandling<LaneDelivery>({
    name,
    agent,
    rules,
    handler: options.handler,
    responder: options.responder,
    where: filter.where,
    writer,
    history: documents.history,
    clock,
    timer,
    schedule,
    publisher,
    resolve: options.resolve,
    duplicateOf: options.duplicateOf,
    isDone,
    takes: compiled.takes,
    cancelled: options.cancelled,
    giveUp: options.giveUp,
    onDone: pass,
    onChange(lane) {
      if (lane && !lane.isGone) dirty.add(lane);
      queue();
    },
    onProblem,
  });
  const offering = createOffering({
    name,
    group,
    order,
    writer,
    compiled,
    documents,
    positions,
    schedule,
    share,
    knownLanes,
    isCaughtUp: () => caughtUp,
    deliveries,
    refuse: handling.refuse,
    onPassed: publisher.touch,
  });
  let caughtUp = resumed;
  let isQueued = false;
  let isClosed = false;
  /** Turns since others had one for certain, and when the first of them was. */
  let turns = 0;
  let sinceMs = 0;
  if (resumed) positions.caughtUp();

  function wake(lane: ConsumerLane): void {
    if (lane.isGone) return;
    lane.entries = undefined;
    dirty.add(lane);
    queue();
  }

  function wakeAll(): void {
    if (isClosed) return;
    for (const id of documents.log.writers()) wake(lanes.of(id));
    for (const id of documents.registers().keys()) wake(lanes.of(id));
  }

  /** A turn follows; in a turn it does not matter. */
  function queue(): void {
    if (isQueued || isClosed) return;
    isQueued = true;
    queueMicrotask(turn);
  }

  function turn(): void {
    if (isClosed) return;
    const startMs = clock.now();
    if (turns++ === 0) sinceMs = startMs;
    const now = timer.now();
    handling.endOverdue(now);
    let isOver = turns > turnsAtOnce && startMs - sinceMs >= longestTurnMs;
    while (!isOver && !isClosed) {
      for (const lane of dirty) {
        dirty.delete(lane);
        offering.look(lane, now);
      }
      const delivery = schedule.take(now);
      if (!delivery) break;
      begin(delivery);
      isOver = clock.now() - startMs >= longestTurnMs;
    }
    isQueued = false;
    if (isClosed) return;
    handling.store();
    const next = [schedule.dueNext(), handling.overdueNext(), isOver ? now : undefined];
    timer.set(Math.min(...next.map((at) => at ?? Number.POSITIVE_INFINITY)));
  }

  function isPassed({ lane, entry }: LaneDelivery): boolean {
    return lane.isGone || positions.cursor(lane.id).isDone(entry.page, entry.index, lane.supply.pages());
  }

  function isDone(id: string): boolean {
    const address = parseEntryId(id);
    if (!address) return false;
    const { writer: lane, page, index } = address;
    return positions.cursor(lane).isDone(page, index, lanes.of(lane).supply.pages());
  }

  function begin(delivery: LaneDelivery): void {
    if (!isPassed(delivery) && offering.isMine(delivery)) handling.start(delivery);
    else drop(delivery);
  }

  /** Another writer has handled it, or will. */
  function drop(delivery: LaneDelivery): void {
    handling.drop(delivery);
    deliveries.delete(delivery.id);
    wake(delivery.lane);
  }

  /** A lane has departed: should it come back, nothing of it is in anybody's hands. */
  function forget(id: string): void {
    marked.delete(id);
    const lane = lanes.forget(id);
    if (!lane) return;
    dirty.delete(lane);
    for (const delivery of deliveries.values()) {
      if (delivery.lane !== lane) continue;
      if (delivery.slot) drop(delivery);
      else deliveries.delete(delivery.id);
    }
  }

  function pass(delivery: LaneDelivery): void {
    const { id, lane, entry } = delivery;
    if (lane.isGone) return;
    const { page, index } = entry;
    deliveries.delete(id);
    positions.cursor(lane.id).pass(lane.supply.pages(), page, index, index + 1);
    lane.hasMoved = true;
    dirty.add(lane);
    publisher.touch();
    queue();
  }

  function dropPassed(): void {
    for (const delivery of deliveries.values()) if (delivery.slot && isPassed(delivery)) drop(delivery);
  }

  function retry(): void {
    for (const { supply } of lanes.all()) supply.retry();
  }

  function onRegister(id: string): void {
    const { low, first } = documents.history.marks(id) ?? {};
    const marks = `${first}/${low}`;
    if (low !== undefined && marked.get(id) !== marks) {
      marked.set(id, marks);
      // Else what was passed in silence would be read back from history after a reload.
      publisher.touch();
      const lane = lanes.of(id);
      lane.supply.retry();
      wake(lane);
    }
    if (id === writer.id || !share.isPeer(id)) return;
    const wasKnown = positions.isKnown;
    const news = positions.learn(id);
    if (news.length > 0) dropPassed();
    if (share.look(id) || !wasKnown) wakeAll();
    else for (const lane of news) wake(lanes.of(lane));
  }

  /** Whether the consumer is shortly before an entry. What is written here is sealed all the same, and read back. */
  function holds({ writer: id, page, index }: Entry): boolean {
    const { below, pages } = positions.at(id);
    const ahead = page.number - below;
    if (ahead < 0 || ahead >= heldPages || documents.isHere(id)) return false;
    return index >= (pages[formatPageName(page)] ?? 0);
  }

  const stops: Undo[] = [
    documents.log.hold(holds),
    documents.log.added.on((entries) => {
      const [first] = entries;
      if (!first) return;
      const lane = lanes.of(first.writer);
      lane.supply.arrived(first.page);
      wake(lane);
    }),
    documents.registerChanged.on(onRegister),
    // In a turn of its own: by then the references have heard of it too.
    documents.online.subscribe((isOnline) => {
      if (isOnline) queueMicrotask(retry);
    }),
    documents.presence.others.subscribe(() => {
      if (share.look()) wakeAll();
    }),
    options.onCancelled?.(({ id }) => {
      for (const delivery of deliveries.values()) if (delivery.messageId === id) handling.cancel(delivery);
      queue();
    }) ?? (() => undefined),
  ];
  void documents.caughtUp.then(() => {
    if (isClosed) return;
    caughtUp = true;
    positions.caughtUp();
    wakeAll();
  });
  queueMicrotask(wakeAll);

  return () => {
    if (isClosed) return;
    publisher.publish();
    isClosed = true;
    publisher.close();
    timer.close();
    handling.close(deliveries.values());
    lanes.close();
    for (const stop of stops) stop();
    positions.close();
  };
}
