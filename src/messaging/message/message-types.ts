import { FlockError } from "../../base/index.ts";
import type { Json } from "../../protocol/index.ts";
import { type ContentSchema, readContent, writeContent } from "./content-schema.ts";
import type { ReceivedMessage } from "./message.ts";
import type { WrittenContent } from "./outgoing.ts";

/** The message types of a room that have a schema; content of any other passes as it is. */
export interface MessageTypes {
  /** What to send of a type's content; undefined where the type has no schema. @throws `messaging/invalid-content` */
  write(type: string, content: Json | Uint8Array): WrittenContent | Promise<WrittenContent> | undefined;
  /** A message with its content as its type has it. @throws `messaging/invalid-content` */
  read(message: ReceivedMessage): ReceivedMessage | Promise<ReceivedMessage>;
}

/**
 * Creates the message types of a room.
 *
 * @throws `messaging/invalid-options` where two are of one name
 */
export function createMessageTypes(definitions: readonly ContentSchema[]): MessageTypes {
  const byType = new Map<string, ContentSchema>();
  for (const definition of definitions) {
    if (byType.has(definition.type)) {
      throw new FlockError(
        "messaging/invalid-options",
        `The message type ${definition.type} is registered twice: a room reads a type by one schema.`,
        { details: { type: definition.type } },
      );
    }
    byType.set(definition.type, definition);
  }
  return {
    write(type, content) {
      const definition = byType.get(type);
      return definition && writeContent(definition, content);
    },
    read(message) {
      const definition = byType.get(message.type);
      return definition ? readContent(definition, message) : message;
    },
  };
}
