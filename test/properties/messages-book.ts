import type { ConsumerRecord, LanePosition, RegisterRecord } from "../../src/protocol/index.ts";
import { parseEntryId } from "../../src/protocol/index.ts";
import { maxDeliver } from "./messages-plan.ts";

/** One call of a handler. */
export interface Begun {
  /** Names the process. */
  life: string;
  /** Over the writers that share its position. */
  consumer: string;
  id: string;
  attempt: number;
  /** Whether one message of a lane at a time is handled. */
  isOrdered: boolean;
  signal: AbortSignal;
  /** Whether the replica knows already that the message is acknowledged. */
  isKnown: boolean;
}

/** What a writer says of one of its consumers, and what was known where it says it. */
export interface Publication {
  writer: string;
  name: string;
  record: ConsumerRecord;
  /** Every other register that is there. */
  others: ReadonlyMap<string, RegisterRecord>;
  /** The ids of the entries of a lane that are live there; undefined where nobody there has heard of it. */
  liveIn(lane: string): Iterable<string> | undefined;
}

/** What handlers did and what registers said, kept outside the simulated world. */
export interface MessagesBook {
  /** A message was sent, or asked for again. */
  sent(id: string): void;
  /** Gives what is told when the handler says what became of it. */
  begin(begun: Begun): (word: "ack" | "term" | "failed") => void;
  published(publication: Publication): void;
  /** Whether the latest word of some writer is that its consumer, which shares its position, is done with a message. */
  isPassed(name: string, agent: string | undefined, id: string): boolean;
  /** A consumer was asked to handle a message again, in the place of whoever asked. */
  asked(consumer: string, id: string): void;
  /** How often a consumer's handlers were called with a message. */
  begins(consumer: string, id: string): readonly { life: string; attempt: number; at: number }[];
  isAcknowledged(consumer: string, id: string): boolean;
  isTerminated(consumer: string, id: string): boolean;
  /** When a consumer was first called with a message, and when it first was done with it, by the book's own count. */
  firstBegun(consumer: string, id: string): number | undefined;
  firstFinished(consumer: string, id: string): number | undefined;
  /** Counts what has happened. */
  readonly now: number;
  /** Calls of handlers. */
  readonly calls: number;
  /** What nobody may do. */
  readonly violations: readonly string[];
}

/** Creates an empty book. */
export function createMessagesBook(): MessagesBook {
  const lanes = new Map<string, Set<string>>();
  const begins = new Map<string, { life: string; attempt: number; at: number }[]>();
  const finished = new Map<string, number>();
  const acknowledged = new Set<string>();
  const terminated = new Set<string>();
  const askedAgain = new Set<string>();
  const hands = new Map<string, { id: string; signal: AbortSignal; isOver: boolean }>();
  /** What others have seen that a writer's consumer is done with. */
  const shown = new Map<string, Set<string>>();
  const seen = new WeakSet<ConsumerRecord>();
  const latest = new Map<string, ConsumerRecord>();
  const violations = new Set<string>();
  let now = 0;
  let calls = 0;

  function doneOf({ lanes: positions }: ConsumerRecord): string[] {
    return Object.entries(positions).flatMap(([lane, position]) =>
      [...(lanes.get(lane) ?? [])].filter((id) => isDone(position, id)),
    );
  }

  /** What others see: what is set within 50 ms goes out as one. */
  function weigh(
    writer: string,
    name: string,
    record: ConsumerRecord,
    liveIn: Publication["liveIn"],
    writers: number,
  ): void {
    for (const [lane, position] of Object.entries(record.lanes)) {
      const all = new Set([...(lanes.get(lane) ?? []), ...(liveIn(lane) ?? [])]);
      const open = [...all].filter((id) => !isDone(position, id)).length;
      if (wordsOf(position) > open || marksBelow(position) > spareMarks + writers) {
        const said = JSON.stringify(position);
        violations.add(`${writer} says of ${name} in ${lane}, where ${open} are open: ${said}`);
      }
    }
  }

  function finish(key: string): void {
    if (!finished.has(key)) finished.set(key, now);
  }

  return {
    sent(id) {
      const lane = id.slice(0, id.indexOf("/"));
      lanes.set(lane, (lanes.get(lane) ?? new Set()).add(id));
    },
    begin({ life, consumer, id, attempt, isOrdered, signal, isKnown }) {
      now++;
      calls++;
      const key = `${consumer} ${id}`;
      begins.set(key, [...(begins.get(key) ?? []), { life, attempt, at: now }]);
      if (isKnown) violations.add(`${consumer} in ${life} handles ${id}, which it knows to be acknowledged`);
      if (attempt > maxDeliver)
        violations.add(`${consumer} in ${life} handles ${id} for the ${attempt}th time`);
      if (attempt === maxDeliver) finish(key);
      const hand = { id, signal, isOver: false };
      if (isOrdered && !askedAgain.has(key)) {
        const lane = `${life} ${consumer} ${id.slice(0, id.indexOf("/"))}`;
        const before = hands.get(lane);
        if (before && !before.isOver && !before.signal.aborted) {
          violations.add(`${consumer} in ${life} handles ${id} beside ${before.id}`);
        }
        hands.set(lane, hand);
      }
      return (word) => {
        now++;
        hand.isOver = true;
        if (signal.aborted) return;
        if (word === "ack") acknowledged.add(key);
        if (word === "term") terminated.add(key);
        if (word !== "failed") finish(key);
      };
    },
    published({ writer, name, record, others, liveIn }) {
      latest.set(`${writer} ${name}`, record);
      const { group, lanes: positions } = record;
      const owed = new Map(
        [...(shown.get(`${writer} ${name}`) ?? [])].map((id) => [id, "it has said before"]),
      );
      for (const [id, { consumers }] of others) {
        const consumer = consumers[name];
        if (!consumer || id === writer) continue;
        if (!seen.has(consumer)) {
          seen.add(consumer);
          const known = shown.get(`${id} ${name}`) ?? new Set();
          shown.set(`${id} ${name}`, known);
          for (const each of doneOf(consumer)) known.add(each);
          weigh(id, name, consumer, liveIn, others.size);
        }
        const shares = consumer.group === group && (group !== undefined || agentOf(id) === agentOf(writer));
        if (shares) for (const each of doneOf(consumer)) owed.set(each, `${id} says`);
      }
      for (const [id, why] of owed) {
        const lane = id.slice(0, id.indexOf("/"));
        const position = positions[lane];
        if (liveIn(lane) && !(position && isDone(position, id))) {
          violations.add(`${writer} forgets that ${name} is done with ${id}, as ${why}`);
        }
      }
    },
    isPassed(name, agent, id) {
      const lane = id.slice(0, id.indexOf("/"));
      // Not every run tells the book what is published.
      if (latest.size === 0) return true;
      return [...latest].some(([key, { lanes: positions }]) => {
        const isIts = key.endsWith(` ${name}`) && (agent === undefined || key.startsWith(`${agent}.`));
        const position = positions[lane];
        return isIts && position !== undefined && isDone(position, id);
      });
    },
    asked: (consumer, id) => void askedAgain.add(`${consumer} ${id}`),
    begins: (consumer, id) => begins.get(`${consumer} ${id}`) ?? [],
    isAcknowledged: (consumer, id) => acknowledged.has(`${consumer} ${id}`),
    isTerminated: (consumer, id) => terminated.has(`${consumer} ${id}`),
    firstBegun: (consumer, id) => begins.get(`${consumer} ${id}`)?.[0]?.at,
    firstFinished: (consumer, id) => finished.get(`${consumer} ${id}`),
    get now() {
      return now;
    },
    get calls() {
      return calls;
    },
    get violations() {
      return [...violations];
    },
  };
}

/** A reading of positions of its own: nobody copies profiles here, so that a number has one page. */
function isDone({ below, pages, done = {} }: LanePosition, id: string): boolean {
  const address = parseEntryId(id);
  if (!address) return false;
  const { page, index } = address;
  const name = `${page.number}-${page.client}`;
  if (page.number < below || index < (pages[name] ?? 0)) return true;
  const bounds = done[name] ?? [];
  return bounds.some((from, at) => at % 2 === 0 && from <= index && index < (bounds[at + 1] ?? 0));
}

/** Each register may bring a mark of a page that is passed, and one's last life left some, until the lane is looked at. */
const spareMarks = 2;

function marksBelow({ below, pages }: LanePosition): number {
  return Object.keys(pages).filter((name) => Number(name.split("-")[0]) < below).length;
}

/** How much a position says besides where it is in each page, of pages that are not below it. */
function wordsOf({ below, done = {}, tries = {} }: LanePosition): number {
  const isAbove = (name: string): boolean => Number(name.split("-")[0]) >= below;
  // A page may begin with what is done, while one before it is open.
  const ranges = Object.entries(done).map(([name, bounds]) => (isAbove(name) ? bounds.length / 2 - 1 : 0));
  return Math.max(
    ranges.reduce((sum, count) => sum + count, 0),
    Object.keys(tries).filter(isAbove).length,
  );
}

function agentOf(writer: string): string {
  return writer.slice(0, writer.lastIndexOf("."));
}
