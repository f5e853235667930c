import { jsonBytes, type ServiceAnswer } from "../../protocol/index.ts";

/*
 * Which calls a serving writer has taken, so that one that comes by signals, again, and then by its lane is executed once.
 */

interface Taken {
  isRunning: boolean;
  /** Absent while the method runs, and where nobody wants it any more. */
  answer: ServiceAnswer | undefined;
  /** Of the answer, as JSON. */
  bytes: number;
  /** The writer that asked last by a signal. */
  caller: string | undefined;
  /** The messages that ask for the same. */
  readonly requests: Set<string>;
  isCancelled: boolean;
  isForgotten: boolean;
}

/** The calls by `agent/call`: a caller names its own only. */
export interface CallBook {
  readonly taken: Map<string, Taken>;
  running: number;
  /** Of all answers. */
  bytes: number;
}

export type CallBookEvent =
  | { type: "signalled"; key: string; from: string; expiresAt: number; now: number }
  | { type: "requested"; key: string; request: string }
  | { type: "executed"; key: string; answer: ServiceAnswer }
  /** With `isForgotten`, the same call may be made again. */
  | { type: "cancelled"; key: string; isForgotten?: boolean }
  /** Nobody waits for it any more: the method may take as long as it likes, and holds up no other. */
  | { type: "expired"; key: string };

export type CallBookEffect =
  | { type: "execute"; key: string }
  | { type: "accept"; key: string; to: string }
  | { type: "answer"; key: string; to: string; answer: ServiceAnswer }
  | { type: "reply"; request: string; answer: ServiceAnswer | undefined }
  | { type: "abort"; key: string };

/** Calls by signals that run at once; a further one goes by its lane, where consumers bound what runs. */
const maxRunning = 256;
/** Calls that are remembered after their end, ... */
const maxRemembered = 256;
/** ... with answers of so much: who asks for large ones decides nothing of this process's memory. */
const maxRememberedBytes = 16 * 1024 * 1024;

/** A value of 32 levels, in an answer. */
const maxAnswerDepth = 33;

export function createCallBook(): CallBook {
  return { taken: new Map(), running: 0, bytes: 0 };
}

/** What becomes of an event; the book is changed. */
export function stepCallBook(book: CallBook, event: CallBookEvent): CallBookEffect[] {
  const { key } = event;
  const taken = book.taken.get(key);
  switch (event.type) {
    case "signalled": {
      const { from } = event;
      if (!taken) {
        if (event.expiresAt <= event.now || book.running >= maxRunning) return [];
        begin(book, key, { caller: from });
        return [
          { type: "accept", key, to: from },
          { type: "execute", key },
        ];
      }
      if (taken.isCancelled) return [];
      taken.caller = from;
      return [
        taken.answer
          ? { type: "answer", key, to: from, answer: taken.answer }
          : { type: "accept", key, to: from },
      ];
    }
    case "requested": {
      const { request } = event;
      if (!taken) {
        begin(book, key, { request });
        return [{ type: "execute", key }];
      }
      if (!taken.isRunning) return [{ type: "reply", request, answer: taken.answer }];
      taken.requests.add(request);
      return [];
    }
    case "executed": {
      if (!taken?.isRunning) return [];
      const answer = taken.isCancelled ? undefined : event.answer;
      const { caller } = taken;
      const waiting = [...taken.requests];
      end(book, key, answer);
      const effects = waiting.map((request): CallBookEffect => ({ type: "reply", request, answer }));
      if (answer && caller !== undefined) effects.unshift({ type: "answer", key, to: caller, answer });
      return effects;
    }
    case "cancelled": {
      if (!taken?.isRunning) return [];
      if (event.isForgotten) taken.isForgotten = true;
      if (taken.isCancelled) return [];
      taken.isCancelled = true;
      return [{ type: "abort", key }];
    }
    case "expired": {
      if (!taken?.isRunning) return [];
      taken.isCancelled = true;
      const waiting = [...taken.requests];
      end(book, key, undefined);
      return [
        { type: "abort", key },
        ...waiting.map((request): CallBookEffect => ({ type: "reply", request, answer: undefined })),
      ];
    }
  }
}

function begin(
  book: CallBook,
  key: string,
  { caller, request }: { caller?: string; request?: string },
): void {
  book.taken.set(key, {
    isRunning: true,
    isCancelled: false,
    isForgotten: false,
    answer: undefined,
    bytes: 0,
    caller,
    requests: new Set(request === undefined ? [] : [request]),
  });
  book.running++;
}

function end(book: CallBook, key: string, answer: ServiceAnswer | undefined): void {
  const taken = book.taken.get(key);
  if (!taken) return;
  taken.isRunning = false;
  taken.answer = answer;
  taken.bytes = answer ? (jsonBytes(answer, maxAnswerDepth) ?? 0) : 0;
  taken.requests.clear();
  book.running--;
  book.bytes += taken.bytes;
  book.taken.delete(key);
  if (taken.isForgotten) book.bytes -= taken.bytes;
  else book.taken.set(key, taken);
  forgetOldest(book);
}

/** Those that ended first go first. */
function forgetOldest(book: CallBook): void {
  let ended = book.taken.size - book.running;
  for (const [key, taken] of book.taken) {
    // The newest answer may be all that fits: its caller is about to ask for it by its lane.
    if (ended <= 1 || (ended <= maxRemembered && book.bytes <= maxRememberedBytes)) return;
    if (taken.isRunning) continue;
    book.taken.delete(key);
    book.bytes -= taken.bytes;
    ended--;
  }
}
