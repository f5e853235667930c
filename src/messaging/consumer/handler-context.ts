import { FlockError } from "../../base/index.ts";
import type { ReceivedMessage } from "../message/message.ts";
import type { OutgoingResponse } from "../message/response.ts";
import type { SentMessage } from "../message/sent-message.ts";
import type { ProgressReport } from "../requests/progress.ts";
import type { Responder } from "../requests/responder.ts";

/**
 * What a handler is told besides the message, and what it may say of its delivery. The first word counts; what is said of
 * a delivery that is over is ignored.
 */
export interface HandlerContext {
  /** 1 for the first delivery of the message to this consumer, then one more each time, whoever's page it was in. */
  readonly attempt: number;
  /**
   * Aborts when the consumer closes, when the message is taken back (`messaging/cancelled`), and when nothing was said for
   * `ackWaitMs` (`messaging/ack-timeout`).
   */
  readonly signal: AbortSignal;
  /** The message is handled, before the handler's promise says so. */
  ack(): void;
  /**
   * The message is delivered again: after `delayMs`, by default after a while that doubles each time, from 0.5 s to 30 s.
   *
   * @throws `messaging/invalid-options`
   */
  nak(options?: { delayMs?: number }): void;
  /** The message is given up, as a dead letter with this reason. */
  term(reason: string): void;
  /** The delivery is being worked on: `ackWaitMs` begins anew. */
  working(): void;
  /**
   * Sends the answer to the message, as `agent.respond` does.
   *
   * @throws as `send`
   */
  respond(
    content: OutgoingResponse["content"],
    options?: Omit<OutgoingResponse, "content">,
  ): Promise<SentMessage>;
  /**
   * Tells whoever asked how far the handler has come: at most four times a second, and the last word before it answers or
   * ends.
   *
   * @throws `messaging/invalid-message`
   */
  progress(report: ProgressReport): void;
}

/** Handles a message; it is acknowledged when the promise resolves and delivered again when it rejects. */
export type MessageHandler = (message: ReceivedMessage, context: HandlerContext) => unknown;

/** What was said of a delivery. */
export type Word =
  | { readonly kind: "ack" }
  | { readonly kind: "nak"; readonly delayMs: number | undefined }
  | { readonly kind: "term"; readonly reason: string }
  | { readonly kind: "failed"; readonly cause: unknown };

/** One delivery of a message to the handler. */
export interface Attempt {
  readonly context: HandlerContext;
  /** Takes the first word, of the handler or of whoever ends it. */
  settle(word: Word): void;
  /** Tells the handler that it need not go on. */
  abort(reason: unknown): void;
}

export interface AttemptOptions {
  number: number;
  message: ReceivedMessage;
  responder: Responder;
  onWord(word: Word): void;
  onWorking(): void;
}

export const acknowledged: Word = { kind: "ack" };

/** Creates an attempt; nothing in it is made before the handler asks for it that costs much. */
export function createAttempt({ number, message, responder, onWord, onWorking }: AttemptOptions): Attempt {
  let isOver = false;
  let controller: AbortController | undefined;
  let ended: { readonly reason: unknown } | undefined;

  function settle(word: Word): void {
    if (isOver) return;
    isOver = true;
    responder.settled(message);
    onWord(word);
  }

  function openSignal(): AbortSignal {
    if (!controller) {
      controller = new AbortController();
      if (ended) controller.abort(ended.reason);
    }
    return controller.signal;
  }

  const context: HandlerContext = withSignal(openSignal, {
    attempt: number,
    ack: () => settle(acknowledged),
    nak({ delayMs } = {}) {
      if (delayMs !== undefined && !(delayMs >= 0 && Number.isFinite(delayMs))) {
        const why = `A message can't wait for ${delayMs}: use milliseconds from 0 on.`;
        throw new FlockError("messaging/invalid-options", why, {
          details: { name: "delayMs", value: delayMs },
        });
      }
      settle({ kind: "nak", delayMs });
    },
    // Text, whatever it is: nothing else can be written, and the message would never be passed.
    term: (reason) => settle({ kind: "term", reason: String(reason) }),
    working() {
      if (!isOver) onWorking();
    },
    respond: (content, options) => responder.respond(message, { content, ...options }),
    progress(report) {
      if (!isOver) responder.progress(message, report);
    },
  });

  return {
    context,
    settle,
    abort(reason) {
      ended ??= { reason };
      controller?.abort(reason);
    },
  };
}

const open = Symbol("open");

interface Opening {
  [open](): AbortSignal;
}

/** Shared, because a getter of its own on each object costs as much as the rest of a delivery. */
const lazySignal = {
  get signal(): AbortSignal {
    return (this as unknown as Opening)[open]();
  },
};

/** A context whose signal is made when it is first asked for. */
function withSignal(openSignal: () => AbortSignal, rest: Omit<HandlerContext, "signal">): HandlerContext {
  const context = Object.create(lazySignal) as typeof lazySignal & Opening;
  context[open] = openSignal;
  return Object.assign(context, rest);
}
