import { type Clock, FlockError, type Undo } from "../../base/index.ts";
import type { Documents, Entry, Pen } from "../../crdt/index.ts";
import {
  addresses,
  agentOf,
  cancelKind,
  deadLetterKind,
  type JsonObject,
  messageKind,
  progressKind,
} from "../../protocol/index.ts";
import { type Message, type ReceivedMessage, readMessage } from "../message/message.ts";
import type { OutgoingMessage, RoledMessage } from "../message/outgoing.ts";
import { wordsOf } from "../message/words.ts";
import { type Attendance, createAttendance } from "./attendance.ts";
import { atDeadline, expired } from "./deadline.ts";
import { createGivenUp, type GivenUp } from "./given-up.ts";
import { type Progress, readProgress, tellProgress } from "./progress.ts";

/** A message that asks: its deadline is that of the request, and each is asked by itself. */
export type OutgoingRequest = Omit<OutgoingMessage, "ttlMs" | "idempotencyKey">;

/** A request that waits for replies. */
export interface Exchange {
  /** Nobody waits any more. With `satisfied`, replies that come later are superfluous; else they are late. */
  end(options: { satisfied: boolean }): void;
  /** Ends it and takes the request back, wherever it is handled. */
  cancel(reason: unknown, options: { satisfied: boolean }): void;
}

export interface ExchangeOptions {
  /** Milliseconds since the epoch. */
  expiresAt: number;
  signal?: AbortSignal | undefined;
  onReply(reply: ReceivedMessage): void;
  onProgress?: ((progress: Progress) => void) | undefined;
  /** A reply that could not be read; the exchange goes on. */
  onUnreadable(failure: unknown): void;
  /** Nobody is left to answer, as far as can be told; the exchange goes on. */
  onGivenUp?: ((failure: FlockError) => void) | undefined;
  /** It has ended by itself: `messaging/expired`, `room/closed`, the signal's reason, or what sending threw. */
  onFailed(failure: unknown): void;
}

/** The requests of an agent that are under way. */
export interface Exchanges {
  /** Sends a request. Nothing is told before this returns. */
  begin(message: OutgoingRequest, options: ExchangeOptions): Exchange;
  /** @throws `room/closed` */
  assertOpen(): void;
  /** Has something else that waits fail with `room/closed` when the agent closes. */
  whileOpen: Attendance<(failure: FlockError) => void>["enter"];
  close(): void;
}

export interface ExchangesOptions {
  writer: Pen;
  documents: Pick<Documents, "log" | "registers" | "registerChanged">;
  clock: Clock;
  send(message: RoledMessage): Promise<{ readonly id: string }>;
  /** Gives a reply its content. */
  resolve(message: Message, signal: AbortSignal): ReceivedMessage | Promise<ReceivedMessage>;
  /** Opens the durable consumer of the replies to this agent. */
  openReplies(handle: (reply: ReceivedMessage) => Promise<void>): Undo;
  /** Whether this writer has asked before. */
  hasAsked: boolean;
  onProblem(error: FlockError): void;
}

/** Requests that had their replies, of which it is remembered that a further one is not late. */
const maxSatisfied = 1_024;
/** What is kept for requests whose ids are not known yet: of what does not fit, the consumer of replies brings the replies. */
const maxEarly = 256;
const maxReasonLength = 1_000;
const none: readonly unknown[] = [];

/** A request between its sending and its end. */
interface Waiting {
  readonly to: string | undefined;
  take(entry: Entry): void;
  /** A reply that the durable consumer brings. */
  deliver(reply: ReceivedMessage): void;
}

/**
 * Opens an agent's exchanges. Replies are met where they enter the log, so that no other writer of the agent can take them
 * away; the durable consumer brings what came while this replica was elsewhere, and tells of what nobody waits for.
 */
export function createExchanges(options: ExchangesOptions): Exchanges {
  const { writer, documents, clock, send, resolve, openReplies, onProblem } = options;
  const { log } = documents;
  const waiting = new Map<string, Waiting>();
  const satisfied = new Set<string>();
  const closing = createAttendance<(failure: FlockError) => void>();
  /** Requests whose ids are not known yet; ... */
  const sending = new Set<Promise<unknown>>();
  /** ... and what may follow one of them. */
  const early: Entry[] = [];
  let stopWatching: Undo | undefined;
  let stopReplies: Undo | undefined;
  /** Whether a reload would find that this writer asks. */
  let isKnown = options.hasAsked;
  let isClosed = false;

  function watch(): void {
    stopWatching ??= log.added.on((entries) => {
      for (const entry of entries) for (const request of requestsOf(entry)) hear(request, entry);
    });
  }

  function hear(request: unknown, entry: Entry): void {
    if (typeof request !== "string") return;
    const exchange = waiting.get(request);
    if (exchange) exchange.take(entry);
    else if (sending.size > 0 && isOwn(request)) {
      early.push(entry);
      if (early.length > maxEarly) early.shift();
    }
  }

  /** Whether a writer of this agent has asked it, or could have. */
  function isOwn(request: string): boolean {
    return agentOf(ownerOf(request)) === agentOf(writer.id);
  }

  function assertOpen(): void {
    if (isClosed) throw closed();
  }

  function rest(): void {
    if (sending.size === 0) early.length = 0;
    if (sending.size > 0 || waiting.size > 0) return;
    stopWatching?.();
    stopWatching = undefined;
  }

  /** A reply has come to the durable consumer. */
  async function settleReply(reply: ReceivedMessage): Promise<void> {
    const { id, parent, from } = reply;
    if (parent === undefined) return;
    if (!waiting.has(parent)) await Promise.allSettled(sending);
    const exchange = waiting.get(parent);
    const asked = exchange ?? requestIn(parent);
    const details = { request: parent, reply: id, from };
    if (!isOwn(parent) || (asked && !isAsked(asked.to, reply.writer))) {
      const why = `${from} answered ${parent}, which did not ask it: the reply ${id} is passed over.`;
      onProblem(new FlockError("messaging/foreign-reply", why, { details }));
    } else if (exchange) {
      exchange.deliver(reply);
    } else if (!satisfied.has(parent)) {
      const why = `The reply ${id} of ${from} came after the request ${parent} had ended.`;
      onProblem(new FlockError("messaging/late-reply", why, { details }));
    }
  }

  /** The request as its own lane still has it. */
  function requestIn(id: string): Message | undefined {
    const entry = log.get(id);
    return entry && readMessage(entry);
  }

  function begin(message: OutgoingRequest, exchange: ExchangeOptions): Exchange {
    const { expiresAt, signal, onReply, onProgress, onUnreadable, onGivenUp, onFailed } = exchange;
    const lifetime = new AbortController();
    const seen = new Set<string>();
    let id: string | undefined;
    let hasEnded = false;
    let isSatisfied = false;
    /** Replies whose content is on its way. */
    let coming = 0;
    let givenUp: GivenUp | undefined;
    let cancelledFor: string | undefined;

    function end(how: { satisfied: boolean }): void {
      if (hasEnded) return;
      hasEnded = true;
      isSatisfied = how.satisfied;
      stopTimer();
      signal?.removeEventListener("abort", onAbort);
      leave();
      givenUp?.close();
      lifetime.abort();
      if (id !== undefined) {
        waiting.delete(id);
        if (isSatisfied) remember(id);
        rest();
      }
    }

    function fail(failure: unknown): void {
      if (hasEnded) return;
      end({ satisfied: false });
      onFailed(failure);
    }

    function cancel(reason: unknown, how: { satisfied: boolean }): void {
      if (hasEnded) return;
      cancelledFor = wordsOf(reason, maxReasonLength);
      end(how);
      if (id !== undefined) sendCancel(id, cancelledFor);
    }

    function onAbort(): void {
      cancel(signal?.reason, { satisfied: false });
      onFailed(signal?.reason);
    }

    function deliver(reply: ReceivedMessage): void {
      if (hasEnded || seen.has(reply.id)) return;
      seen.add(reply.id);
      onReply(reply);
    }

    function take(entry: Entry): void {
      if (!isAsked(message.to, entry.writer)) return;
      if (entry.kind === progressKind) {
        const progress = onProgress && readProgress(entry);
        if (progress) tellProgress(onProgress, progress);
        return;
      }
      if (entry.kind === deadLetterKind) {
        if (onGivenUp && id !== undefined) bury(entry, id, onGivenUp);
        return;
      }
      const reply = readMessage(entry);
      if (!reply) return;
      void bring(reply);
    }

    function bury(letter: Entry, request: string, tell: (failure: FlockError) => void): void {
      givenUp ??= createGivenUp({
        request,
        to: message.to,
        documents,
        // A reply that was written before it counts.
        onGivenUp: (failure) => coming === 0 && tell(failure),
      });
      givenUp.take(letter);
    }

    async function bring(reply: Message): Promise<void> {
      coming++;
      try {
        deliver(await resolve(reply, lifetime.signal));
      } catch (failure) {
        if (!hasEnded) onUnreadable(failure);
      } finally {
        coming--;
      }
    }

    async function sendIt(): Promise<void> {
      // In a turn of its own, so that whoever began it has the exchange before it is told anything.
      await Promise.resolve();
      if (hasEnded) return;
      assertOpen();
      if (signal?.aborted) throw signal.reason;
      if (expiresAt <= clock.now()) throw expired("the request");
      stopReplies ??= openReplies(settleReply);
      if (!isKnown) {
        // Else the page may die with the request on its way, and nobody would hear of the reply.
        await writer.flush();
        isKnown = true;
        if (hasEnded) return;
        assertOpen();
      }
      watch();
      const sent = send({ ...message, role: "request", expiresAt });
      sending.add(sent);
      try {
        id = (await sent).id;
        if (!hasEnded) {
          waiting.set(id, { to: message.to, take, deliver });
          for (const entry of early) if (requestsOf(entry).includes(id)) take(entry);
        } else {
          if (isSatisfied) remember(id);
          if (cancelledFor !== undefined) sendCancel(id, cancelledFor);
        }
      } finally {
        sending.delete(sent);
        rest();
      }
    }

    const stopTimer = atDeadline(clock, expiresAt, () => fail(expired(id ?? "the request")));
    signal?.addEventListener("abort", onAbort, { once: true });
    const leave = closing.enter(fail);
    sendIt().catch(fail);
    return { end, cancel };
  }

  function sendCancel(request: string, reason: string): void {
    try {
      const body: JsonObject = { request, reason };
      writer.append({ kind: cancelKind, parents: [request], body });
    } catch (failure) {
      // The agent closes: the deadline ends the request at the others.
      if (failure instanceof FlockError && failure.code !== "crdt/closed") onProblem(failure);
    }
  }

  function remember(request: string): void {
    satisfied.add(request);
    const [oldest] = satisfied;
    if (satisfied.size > maxSatisfied && oldest !== undefined) satisfied.delete(oldest);
  }

  if (options.hasAsked) stopReplies = openReplies(settleReply);

  return {
    begin,
    assertOpen,
    whileOpen: closing.enter,
    close() {
      isClosed = true;
      stopReplies?.();
      for (const fail of closing.list()) fail(closed());
      stopWatching?.();
    },
  };
}

function closed(): FlockError {
  return new FlockError("room/closed", "The agent closed before a reply came: ask again when it is open.");
}

/** What may be the requests that an entry follows, as a reply, as progress or as a dead letter, by a look that costs little. */
function requestsOf({ kind, body }: Entry): readonly unknown[] {
  const said = body as JsonObject | null;
  if (kind === messageKind) return said?.["role"] === "reply" ? [said["parent"]] : none;
  if (kind === progressKind) return [said?.["of"]];
  const messages = kind === deadLetterKind ? said?.["messages"] : undefined;
  return Array.isArray(messages) ? messages : none;
}

/** Whether a request, to an agent or to a topic, was for the agent of a writer to answer. */
function isAsked(to: string | undefined, by: string): boolean {
  return to === undefined || addresses(to, by);
}

function ownerOf(id: string): string {
  return id.slice(0, id.indexOf("/"));
}
