import { FlockError } from "../../base/index.ts";
import type { StandardSchema } from "../../crdt/index.ts";
import { isMessageType } from "../../protocol/index.ts";
import { type ContentSchema, type MessageEvolution, readContent } from "./content-schema.ts";
import type { ReceivedMessage } from "./message.ts";
import type { OutgoingMessage } from "./outgoing.ts";

/** A received message whose content is known. */
export type MessageOf<Content> = Omit<ReceivedMessage, "content"> & { readonly content: Content };

/** A message type of the application's own, with the schema of its content. */
export interface MessageDefinition<Input = unknown, Output = unknown> extends ContentSchema<Input, Output> {
  /** A message of this type, to be sent. */
  message(fields: Omit<OutgoingMessage, "type" | "content"> & { content: Input }): OutgoingMessage;
  /**
   * A received message of this type, its content as this version has it; undefined for one of another type.
   *
   * @throws `messaging/invalid-content` where it does not fit; `messaging/invalid-options` where the schema is
   * asynchronous
   */
  of(message: ReceivedMessage): MessageOf<Output> | undefined;
}

export interface DefineMessageOptions<Input, Output> extends MessageEvolution<Output> {
  /** What content may be. It has to take what it gives: that is what travels. */
  schema: StandardSchema<Input, Output>;
  /** Counted up with each change of the schema. Default 1. */
  version?: number;
}

/**
 * Declares a message type with a Standard Schema (zod, valibot, arktype, …), for `openRoom(id, { messages: [...] })`.
 *
 * @throws `messaging/invalid-options` where the type is no name of a type, or the version no whole number from 1 on
 * @example
 * ```ts
 * import * as z from "zod";
 *
 * const orderCreated = defineMessage("order.created", {
 *   schema: z.object({ order: z.string(), items: z.array(z.string()) }),
 *   version: 2,
 *   upgrade: (content) => ({ ...(content as { order: string }), items: [] }),
 * });
 * const room = await openRoom("orders", { messages: [orderCreated] });
 * const shop = await room.agent("shop");
 * const store = await room.agent("store");
 * const items = new Promise<unknown>((resolve) => {
 *   store.onMessage({ type: "order.created" }, (message) => resolve(orderCreated.of(message)?.content.items));
 * });
 * await shop.send(orderCreated.message({ to: "store", content: { order: "o-1", items: ["tea"] } }));
 * await items; // ["tea"]
 * await room.close();
 * ```
 */
export function defineMessage<Input, Output>(
  type: string,
  options: DefineMessageOptions<Input, Output>,
): MessageDefinition<Input, Output> {
  const { version = 1 } = options;
  if (!isMessageType(type) || !Number.isSafeInteger(version) || version < 1) {
    throw new FlockError(
      "messaging/invalid-options",
      `No message has the type ${JSON.stringify(type)} in version ${version}: a type is a letter and up to 63 of A-Za-z0-9_.-, and versions count from 1.`,
      { details: { type, version } },
    );
  }
  const definition: ContentSchema<Input, Output> = { ...options, type, version };
  return {
    ...definition,
    message: (fields) => ({ ...fields, type }) as OutgoingMessage,
    of(message) {
      if (message.type !== type) return undefined;
      const read = readContent(definition, message);
      if (!(read instanceof Promise)) return read as MessageOf<Output>;
      // Its outcome is of no use: what is told is that nobody waits for it.
      read.catch(() => undefined);
      throw new FlockError(
        "messaging/invalid-options",
        `The schema of ${type} is asynchronous, and \`of\` answers at once: register the type with its room instead.`,
        { details: { type } },
      );
    },
  };
}
