import { type Clock, FlockError } from "../../base/index.ts";
import type { Json, JsonObject } from "../../protocol/index.ts";
import type { ReceivedMessage } from "../message/message.ts";
import { deadlineOf, type WithinRequest } from "./deadline.ts";
import type { Exchanges, OutgoingRequest } from "./exchanges.ts";
import type { Progress } from "./progress.ts";

export interface RequestOptions extends WithinRequest {
  /** The request, and whoever handles it, end after this. Default 30 s. */
  timeoutMs?: number;
  /** Takes the request back, wherever it is handled. */
  signal?: AbortSignal;
  /** Told how far whoever handles it has come, at most four times a second. */
  onProgress?: (progress: Progress) => void;
}

/** Words of a failed responder that are shown where it gave no text. */
const shownLength = 200;

/** Sends a request and gives its first reply. */
export function request(
  { exchanges, clock }: { exchanges: Exchanges; clock: Clock },
  message: OutgoingRequest,
  { timeoutMs = 30_000, signal, onProgress, within }: RequestOptions = {},
): Promise<ReceivedMessage> {
  return new Promise((resolve, reject) => {
    const expiresAt = deadlineOf(clock, "timeoutMs", timeoutMs, message.expiresAt, within?.expiresAt);
    const exchange = exchanges.begin(message, {
      expiresAt,
      signal,
      onProgress,
      onReply(reply) {
        exchange.end({ satisfied: true });
        if (isErrorReply(reply)) reject(failureOf(reply));
        else resolve(reply);
      },
      onUnreadable(failure) {
        exchange.end({ satisfied: true });
        reject(failure);
      },
      onGivenUp(failure) {
        exchange.end({ satisfied: false });
        reject(failure);
      },
      onFailed: reject,
    });
  });
}

/** Whether a reply says that the request failed: by its type, or by `error: true` in its metadata. */
export function isErrorReply({ type, metadata }: Pick<ReceivedMessage, "type" | "metadata">): boolean {
  return type === "ERROR" || metadata?.["error"] === true;
}

function failureOf({ id, parent, from, content }: ReceivedMessage): FlockError {
  const said = wordsOf(content);
  return new FlockError("messaging/request-failed", `${from} answered with an error: ${said.message}`, {
    details: { request: parent, reply: id, from, ...said },
  });
}

function wordsOf(content: Json | Uint8Array): { message: string; code?: string } {
  if (typeof content === "string") return { message: content };
  if (content instanceof Uint8Array) return { message: `${content.length} bytes` };
  const { message, code } = (content ?? {}) as JsonObject;
  return {
    message: typeof message === "string" ? message : JSON.stringify(content).slice(0, shownLength),
    ...(typeof code === "string" && { code }),
  };
}
