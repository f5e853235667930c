import { FlockError, fromUtf8 } from "../../base/index.ts";
import { freezeJson, type Json, parseJson, type Reference } from "../../protocol/index.ts";
import type { LayeredStore } from "../../refstore/index.ts";
import type { Message, ReceivedMessage } from "./message.ts";
import type { MessageTypes } from "./message-types.ts";

/** The content type of JSON by reference; of any other the bytes are the content. */
export const jsonType = "application/json";
export const bytesType = "application/octet-stream";

export interface ResolveOptions {
  refs: Pick<LayeredStore, "resolve">;
  /** Types that have a schema. Default: none. */
  types?: Pick<MessageTypes, "read"> | undefined;
}

/**
 * Gives a message its content, by value or by reference alike, as its type's schema has it; waits until a reference can
 * be had, and for nothing else but an asynchronous schema.
 *
 * @throws `messaging/invalid-message` where referenced JSON does not parse; `messaging/invalid-content` where it does not
 * fit the schema of its type.
 */
export function resolveContent(
  message: Message,
  { refs, types }: ResolveOptions,
  signal: AbortSignal,
): ReceivedMessage | Promise<ReceivedMessage> {
  const { reference } = message;
  const read = (received: ReceivedMessage) => (types ? types.read(received) : received);
  if (!reference) return read(message as ReceivedMessage);
  const bytes = refs.resolve(reference, { signal });
  return bytes.then((whole) => read({ ...message, content: contentOf(message, reference, whole) }));
}

function contentOf(
  { id }: Message,
  { id: reference, contentType }: Reference,
  bytes: Uint8Array,
): Json | Uint8Array {
  if (contentType !== jsonType) return bytes;
  let text: string | undefined;
  try {
    text = fromUtf8(bytes);
  } catch {
    // Reported below together with text that is no JSON.
  }
  const content = text === undefined ? undefined : parseJson(text);
  if (content !== undefined) return freezeJson(content);
  throw new FlockError("messaging/invalid-message", `The content of ${id} says it is JSON and is not.`, {
    details: { path: "content", reference },
  });
}
