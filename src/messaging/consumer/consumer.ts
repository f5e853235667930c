import {
  type Clock,
  createEmitter,
  FlockError,
  isFlockError,
  parseWriterId,
  type Undo,
} from "../../base/index.ts";
import type { Documents, Entry, Pen } from "../../crdt/index.ts";
import { formatPageName } from "../../protocol/index.ts";
import { compileFilter, declaredOf, type MessageFilter } from "../filter/filter.ts";
import { type Message, type ReceivedMessage, readMessage } from "../message/message.ts";
import { createConsumerPositions } from "./consumer-positions.ts";
import { createLaneReading, type LaneGap, type LaneReading } from "./history-lane.ts";
import type { ConsumerStart } from "./history-start.ts";
import { createTurns } from "./history-turns.ts";
import { advance, nextAt } from "./position.ts";
import { pick } from "./rendezvous.ts";

/** What a handler is told besides the message. */
export interface HandlerContext {
  /** 1 for the first delivery here since the consumer was opened, then one more each time. */
  readonly attempt: number;
  /** Aborts when the consumer closes. */
  readonly signal: AbortSignal;
}

/** Handles a message; it is acknowledged when the promise resolves and delivered again when it rejects. */
export type MessageHandler = (message: ReceivedMessage, context: HandlerContext) => unknown;

/** Is told, as a handler is of a message, of what retention took before it was read. */
export type GapHandler = (gap: LaneGap) => unknown;

export interface ConsumerOptions {
  name: string;
  filter: MessageFilter;
  handler: MessageHandler;
  onGap?: GapHandler | undefined;
  /** Where it begins if no writer of the agent has opened it before. */
  start: ConsumerStart;
  writer: Pen;
  /** Whether the writer had a past here; a new one first waits until it knows the agent's other registers. */
  resumed: boolean;
  /** Lanes that need not wait for that. */
  knownLanes?: ReadonlySet<string> | undefined;
  documents: Documents;
  clock: Clock;
  /** Gives a message its content; waits for references. */
  resolve(message: Message, signal: AbortSignal): Promise<ReceivedMessage>;
  onProblem(error: FlockError): void;
}

const firstRetryMs = 500;
const lastRetryMs = 30_000;
/** History that is out of reach is asked for again after this, doubling, ... */
const firstRestMs = 1_000;
/** ... and no later than after this. */
const lastRestMs = 60_000;
/** A page that nobody has is told of at the failure after so many: that is some seven seconds. */
const patience = 3;
/** Lanes that fetch from history at once. */
const readingLanes = 4;
/** Pages that are held for a consumer past its position, of each lane: what is past them is read from history. */
const heldPages = 8;

/**
 * Opens a durable consumer: every matching message is handled at least once, in order within a lane, by one of the
 * agent's present writers, or a gap tells that retention took it. Lanes do not wait for each other.
 */
export function openConsumer(options: ConsumerOptions): Undo {
  const { name, filter, handler, onGap, writer, resumed, knownLanes, documents, clock, resolve, onProblem } =
    options;
  const controller = new AbortController();
  const { signal } = controller;
  /** Beside the signal, because Node warns of a leak where eleven lanes listen to one. */
  const stopped = createEmitter<void>();
  const agent = agentOf(writer.id);
  const declared = declaredOf(filter);
  const compiled = compileFilter(declared, writer.id);
  const turns = createTurns(readingLanes);
  const readings = new Map<string, LaneReading>();
  const busy = new Set<string>();
  /** Ends the rest of a lane whose history was out of reach. */
  const resting = new Map<string, () => void>();
  const failures = new Map<string, number>();
  const told = new Set<string>();
  /** The marks of each lane, as they were last heard. */
  const marked = new Map<string, string>();
  const attempts = new Map<string, number>();
  let caughtUp = resumed;
  const positions = createConsumerPositions({
    name,
    declared,
    start: options.start,
    since: clock.now(),
    writer,
    documents,
    onForgotten(lane) {
      readings.get(lane)?.close();
      readings.delete(lane);
    },
  });
  if (resumed) positions.caughtUp();

  function wakeAll(): void {
    const lanes = new Set([...documents.log.writers(), ...documents.registers().keys()]);
    for (const lane of lanes) wake(lane);
  }

  function wake(lane: string): void {
    if (busy.has(lane) || signal.aborted) return;
    busy.add(lane);
    void work(lane);
  }

  function readingOf(lane: string): LaneReading {
    const present = readings.get(lane);
    if (present) return present;
    const made = createLaneReading({ lane, documents, turns });
    readings.set(lane, made);
    return made;
  }

  async function work(lane: string): Promise<void> {
    try {
      while (!signal.aborted && positions.isPlaced(lane)) {
        const reading = readingOf(lane);
        const pages = reading.pages();
        const position = positions.at(lane);
        const next = nextAt(position, pages);
        if (!next) {
          const isWhole = reading.isJudged && !reading.lacks(position);
          if (isWhole && reading.rest()) positions.publish();
          if (isWhole || !mayHandle(lane)) return;
          await bring(lane, reading);
          continue;
        }
        const { page } = next;
        let { index } = next;
        let message: Message | undefined;
        while (index < page.entries.length && !message) message = wanted(page.entries[index++] as Entry);
        const passed = message ? index - 1 : index;
        if (passed > next.index) positions.pass(lane, advance(position, pages, page.name, passed - 1));
        if (!message) continue;
        if (!mayHandle(lane)) return;
        if (!(await handled(message))) continue;
        // From where it is now: another writer of this agent may have moved it meanwhile.
        positions.pass(lane, advance(positions.at(lane), reading.pages(), page.name, passed));
        positions.publish();
      }
    } finally {
      // In this very function, and so in the turn of the last look at the lane: an arrival after it wakes anew.
      busy.delete(lane);
    }
  }

  /** Brings what the lane lacks of its sealed part, or waits where that can't be had now. */
  async function bring(lane: string, reading: LaneReading): Promise<void> {
    try {
      if (!reading.isJudged) await reading.judge();
      else {
        const brought = await reading.bring(positions.at(lane), positions.beganAt(lane));
        if (brought.kind === "jump") await pastRetention(lane, brought);
      }
      positions.publish();
      failures.delete(lane);
    } catch (failure) {
      if (signal.aborted) return;
      reading.rest();
      const times = failures.get(lane) ?? 0;
      failures.set(lane, times + 1);
      tell(lane, failure, times);
      await pause(Math.min(lastRestMs, firstRestMs * 2 ** Math.min(times, 10)), (end) =>
        resting.set(lane, end),
      );
      resting.delete(lane);
    }
  }

  /** A page that is only out of reach is waited for; one that will not come back by itself is told of, once. */
  function tell(lane: string, failure: unknown, times: number): void {
    if (!isFlockError(failure)) throw failure;
    if (failure.code === "refstore/unavailable" || failure.code === "refstore/closed") return;
    // That retention took it is heard a moment later.
    if (failure.code !== "crdt/history-corrupt" && times < patience) return;
    const key = `${lane} ${failure.code}`;
    if (told.has(key)) return;
    told.add(key);
    onProblem(failure);
  }

  async function pastRetention(
    lane: string,
    { below, gap }: { below: number; gap: LaneGap | undefined },
  ): Promise<void> {
    if (gap) {
      const what = `the gap from page ${gap.from} to ${gap.to} of ${lane}`;
      if (onGap && !(await attempted(what, () => onGap(gap)))) return;
      if (positions.at(lane).below >= below) return;
      onProblem(
        new FlockError(
          "messaging/gap",
          `Retention took ${gap.pages} pages of ${lane} before ${name} of ${agent} had read them.`,
          { details: { ...gap, consumer: name } },
        ),
      );
    }
    positions.jump(lane, below);
  }

  /** The message of an entry, where it is for this consumer. */
  function wanted(entry: Entry): Message | undefined {
    const message = compiled.mayHold(entry) ? readMessage(entry) : undefined;
    return message && compiled.takes(message) ? message : undefined;
  }

  function mayHandle(lane: string): boolean {
    if (!caughtUp && !documents.isHere(lane) && !knownLanes?.has(lane)) return false;
    return pick(present(), lane) === writer.id;
  }

  /** The writers of this agent that are here and consume under this name. */
  function* present(): Iterable<string> {
    yield writer.id;
    for (const { writers } of documents.presence.others.get()) {
      for (const id of writers) {
        if (id !== writer.id && agentOf(id) === agent && documents.register(id)?.consumers[name]) yield id;
      }
    }
  }

  function handled(message: Message): Promise<boolean> {
    return attempted(message.id, async (attempt) => {
      // In here, so that a condition that throws is a failed handling and not the end of the lane.
      if (!(filter.where?.(message) ?? true)) return;
      await handler(await resolve(message, signal), { attempt, signal });
    });
  }

  /** Has something handled once; false where that is to be done again. */
  async function attempted(id: string, handle: (attempt: number) => unknown): Promise<boolean> {
    const attempt = (attempts.get(id) ?? 0) + 1;
    attempts.set(id, attempt);
    try {
      await handle(attempt);
      attempts.delete(id);
      return !signal.aborted;
    } catch (cause) {
      if (signal.aborted) return false;
      onProblem(
        new FlockError(
          "messaging/handler-failed",
          `The handler ${name} of ${agent} failed on ${id} (attempt ${attempt}); it is delivered again.`,
          { cause, details: { id, attempt, consumer: name } },
        ),
      );
      await pause(Math.min(lastRetryMs, firstRetryMs * 2 ** Math.min(attempt - 1, 10)));
      return false;
    }
  }

  /** Waits; `begun` is given what ends it early. */
  function pause(ms: number, begun?: (end: () => void) => void): Promise<void> {
    return new Promise((done) => {
      const end = (): void => {
        cancel();
        undo();
        done();
      };
      const cancel = clock.after(ms, end);
      const undo = stopped.on(end);
      begun?.(end);
    });
  }

  function endRests(): void {
    for (const end of resting.values()) end();
  }

  function isSealedFurther(lane: string): boolean {
    const { low, first } = documents.history.marks(lane) ?? {};
    const marks = `${first}/${low}`;
    if (low === undefined || marked.get(lane) === marks) return false;
    marked.set(lane, marks);
    return true;
  }

  /** Whether the consumer is shortly before an entry. What is written here is sealed all the same, and read back. */
  function holds({ writer: lane, page, index }: Entry): boolean {
    const { below, pages } = positions.at(lane);
    const ahead = page.number - below;
    if (ahead < 0 || ahead >= heldPages || documents.isHere(lane)) return false;
    return index >= (pages[formatPageName(page)] ?? 0);
  }

  const stops: Undo[] = [
    documents.log.hold(holds),
    documents.log.added.on((entries) => {
      const [first] = entries;
      if (!first) return;
      readings.get(first.writer)?.arrived(first.page, positions.at(first.writer));
      wake(first.writer);
    }),
    documents.registerChanged.on((id) => {
      if (isSealedFurther(id)) {
        // Else what was passed in silence would be read back from history after a reload.
        positions.publish();
        resting.get(id)?.();
        wake(id);
      }
      if (id === writer.id || agentOf(id) !== agent) return;
      positions.learn(id);
      wakeAll();
    }),
    // In a turn of its own: by then the references have heard of it too.
    documents.online.subscribe((isOnline) => {
      if (isOnline) queueMicrotask(endRests);
    }),
    documents.presence.others.subscribe(wakeAll),
    positions.close,
  ];
  void documents.caughtUp.then(() => {
    caughtUp = true;
    positions.caughtUp();
    wakeAll();
  });
  queueMicrotask(wakeAll);

  return () => {
    controller.abort();
    stopped.emit();
    for (const reading of readings.values()) reading.close();
    for (const stop of stops) stop();
  };
}

/** `principal.agent` of a writer. */
function agentOf(writer: string): string {
  const parts = parseWriterId(writer);
  return parts ? `${parts.principal}.${parts.agent}` : writer;
}
