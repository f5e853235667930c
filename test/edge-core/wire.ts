import {
  type ControlMessage,
  controlChannel,
  type DocumentMessage,
  decodeControl,
  decodeDocumentMessage,
  decodeFrame,
  encodeControl,
  encodeDocumentMessage,
  encodeFrame,
  protocolVersion,
} from "../../src/protocol/index.ts";

/** One part of a frame from the relay, with the document's name where it has one. */
export type Item = ControlMessage | (DocumentMessage & { channel: number; name: string | undefined });

/** Reads frames as a client does: names hold for the connection. */
export function createFrameReader(): (frame: Uint8Array) => Item[] {
  const names = new Map<number, string>();
  return (frame) =>
    decodeFrame(frame).map(({ channel, payload }): Item => {
      if (channel !== controlChannel) {
        return { ...decodeDocumentMessage(payload), channel, name: names.get(channel) };
      }
      const message = decodeControl(payload);
      if (message.type === "name") names.set(message.channel, message.name);
      return message;
    });
}

/** One message to the relay: on channel 0, or on a document's channel. */
export type Outgoing = ControlMessage | { channel: number; message: DocumentMessage };

export function frameOf(...messages: Outgoing[]): Uint8Array {
  return encodeFrame(
    messages.map((message) =>
      "channel" in message && "message" in message && typeof message.message === "object"
        ? { channel: message.channel, payload: encodeDocumentMessage(message.message) }
        : { channel: controlChannel, payload: encodeControl(message as ControlMessage) },
    ),
  );
}

export function joinFrame(epoch = "", sequence = 0): Uint8Array {
  return frameOf({ type: "join", version: protocolVersion, epoch, sequence });
}

/** A frame that names one document, sends updates of it, and asks for the acknowledgement. */
export function updateFrame(name: string, updates: readonly Uint8Array[], mark = 1): Uint8Array {
  return frameOf(
    { type: "name", channel: 900, name },
    ...updates.map((update) => ({ channel: 900, message: { type: "update" as const, update } })),
    { type: "mark", number: mark },
  );
}

/** A frame that names one document, drops it, and asks for the acknowledgement. */
export function dropFrame(name: string, mark = 1): Uint8Array {
  return frameOf(
    { type: "name", channel: 900, name },
    { channel: 900, message: { type: "drop" } },
    { type: "mark", number: mark },
  );
}

export function itemsOf<T extends Item["type"]>(
  items: readonly Item[],
  type: T,
): Extract<Item, { type: T }>[] {
  return items.filter((item): item is Extract<Item, { type: T }> => item.type === type);
}
