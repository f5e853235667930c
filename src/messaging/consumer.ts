import { type Clock, createEmitter, FlockError, parseWriterId, type Undo } from "../base/index.ts";
import type { Documents, Entry, Pen } from "../crdt/index.ts";
import type { ConsumerRecord, LanePosition } from "../protocol/index.ts";
import { declaredOf, type MessageFilter, matchesRecord } from "./filter.ts";
import { type Message, type ReceivedMessage, readMessage } from "./message.ts";
import { advance, laneStart, nextAt, samePosition, union } from "./position.ts";
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

export interface ConsumerOptions {
  name: string;
  filter: MessageFilter;
  handler: MessageHandler;
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

/**
 * Opens a durable consumer: every matching message is handled at least once, in order within a lane,
 * by one of the agent's present writers. Lanes do not wait for each other.
 */
export function openConsumer(options: ConsumerOptions): Undo {
  const { name, filter, handler, writer, resumed, knownLanes, documents, clock, resolve, onProblem } =
    options;
  const controller = new AbortController();
  const { signal } = controller;
  /** Beside the signal, because Node warns of a leak where eleven lanes listen to one. */
  const stopped = createEmitter<void>();
  const agent = agentOf(writer.id);
  const positions = new Map<string, LanePosition>();
  const busy = new Set<string>();
  const attempts = new Map<string, number>();
  let caughtUp = resumed;

  for (const [id, record] of documents.registers()) if (agentOf(id) === agent) learn(record.consumers[name]);
  publish();

  /** Takes over what another writer of this agent, or this one before, has acknowledged. */
  function learn(consumer: ConsumerRecord | undefined): void {
    for (const [lane, position] of Object.entries(consumer?.lanes ?? {})) {
      positions.set(lane, union(positions.get(lane) ?? laneStart, position));
    }
  }

  function publish(): void {
    const record = writer.register();
    if (!record || signal.aborted) return;
    const before = record.consumers[name];
    const lanes = Object.fromEntries(positions);
    if (before && samePositions(before.lanes, lanes)) return;
    writer.setRegister({
      ...record,
      consumers: { ...record.consumers, [name]: { filter: declaredOf(filter), lanes } },
    });
  }

  function wakeAll(): void {
    for (const lane of documents.log.writers()) wake(lane);
  }

  function wake(lane: string): void {
    if (busy.has(lane) || signal.aborted) return;
    busy.add(lane);
    void work(lane);
  }

  async function work(lane: string): Promise<void> {
    try {
      while (!signal.aborted) {
        const pages = documents.log.pages(lane);
        const next = nextAt(positions.get(lane) ?? laneStart, pages);
        if (!next) return;
        const entry = next.page.entries[next.index] as Entry;
        const message = readMessage(entry);
        const wanted = message !== undefined && wants(message);
        if (wanted && !mayHandle(lane)) return;
        if (wanted && !(await handled(message))) continue;
        // Another writer of this agent may have moved the position meanwhile.
        const now = positions.get(lane) ?? laneStart;
        positions.set(lane, union(now, advance(now, pages, entry.page, entry.index)));
        if (wanted) publish();
      }
    } finally {
      // In this very function, and so in the turn of the last look at the lane: an arrival after it wakes anew.
      busy.delete(lane);
    }
  }

  function wants(message: Message): boolean {
    if (!matchesRecord(filter, message, writer.id)) return false;
    return message.topic === undefined || message.from !== agent;
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

  /** Runs the handler once; false where the message is to be delivered again, or was handled elsewhere. */
  async function handled(message: Message): Promise<boolean> {
    const attempt = (attempts.get(message.id) ?? 0) + 1;
    attempts.set(message.id, attempt);
    try {
      // In here, so that a condition that throws is a failed handling and not the end of the lane.
      if (filter.where?.(message) ?? true) {
        const received = await resolve(message, signal);
        await handler(received, { attempt, signal });
      }
      attempts.delete(message.id);
      return !signal.aborted;
    } catch (cause) {
      if (signal.aborted) return false;
      onProblem(
        new FlockError(
          "messaging/handler-failed",
          `The handler ${name} of ${agent} failed on ${message.id} (attempt ${attempt}); it is delivered again.`,
          { cause, details: { id: message.id, attempt, consumer: name } },
        ),
      );
      await pause(Math.min(lastRetryMs, firstRetryMs * 2 ** Math.min(attempt - 1, 10)));
      return false;
    }
  }

  function pause(ms: number): Promise<void> {
    return new Promise((done) => {
      const end = (): void => {
        cancel();
        undo();
        done();
      };
      const cancel = clock.after(ms, end);
      const undo = stopped.on(end);
    });
  }

  const stops: Undo[] = [
    documents.log.added.on((entries) => {
      const [first] = entries;
      if (first) wake(first.writer);
    }),
    documents.registerChanged.on((id) => {
      if (id === writer.id || agentOf(id) !== agent) return;
      learn(documents.register(id)?.consumers[name]);
      wakeAll();
    }),
    documents.presence.others.subscribe(wakeAll),
  ];
  void documents.caughtUp.then(() => {
    caughtUp = true;
    wakeAll();
  });
  queueMicrotask(wakeAll);

  return () => {
    controller.abort();
    stopped.emit();
    for (const stop of stops) stop();
  };
}

/** `principal.agent` of a writer. */
function agentOf(writer: string): string {
  const parts = parseWriterId(writer);
  return parts ? `${parts.principal}.${parts.agent}` : writer;
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
