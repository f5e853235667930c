import type { Clock, Undo } from "../../base/index.ts";
import {
  type ControlMessage,
  controlChannel,
  creditEveryBytes,
  creditUnsaidBytes,
  creditWithinMs,
  encodeControl,
  encodeFrame,
  type FramePart,
  maxFrameBytes,
  partBytes,
} from "../../protocol/index.ts";

/** Gathers what one turn sends on a connection into frames. */
export interface FrameWriter {
  control(message: ControlMessage): void;
  /** Adds a document's message; one whose number is not known is named in the frame. */
  document(name: string, payload: Uint8Array): void;
  /** The relay has numbered a document. */
  numbered(channel: number, name: string): void;
  /** The document of a number that the relay has told. */
  nameOf(channel: number): string | undefined;
  /** Whether the channel, whichever side chose it, stands for the document. */
  isChannelOf(channel: number, name: string): boolean;
  /** A frame of so many bytes was taken, which the relay is told in time. */
  took(bytes: number): void;
  /** Sends what there is. */
  flush(): void;
  /** Ends its timer, with its connection. */
  stop(): void;
}

export interface FrameWriterOptions {
  send(frame: Uint8Array): void;
  /** The mark that the frame is to end with; undefined where nothing in it asks for an answer. */
  mark(): number | undefined;
  clock: Pick<Clock, "after">;
}

/** Room in a frame for a credit and a mark. */
const controlBytes = 64;
/** Around a document's message: channel, length, and the control message that names it. */
const namingBytes = 32;
/** Frame-local channels of documents whose number the relay has not told yet. */
const firstLocalChannel = 2 ** 30;

/** Creates the writer of one connection. */
export function createFrameWriter({ send, mark, clock }: FrameWriterOptions): FrameWriter {
  const namesByChannel = new Map<number, string>();
  const channelsByName = new Map<string, number>();
  /** Channels that this side made up, by document; a refusal may name one. */
  const localChannels = new Map<string, number>();
  /** The documents that the present frame names. */
  let named = new Set<string>();
  let parts: FramePart[] = [];
  let partsBytes = 0;
  let isScheduled = false;
  /** Bytes of frames that were taken, and those that the relay was told of. */
  let taken = 0;
  let credited = 0;
  /** While more is unsaid than may be for long. */
  let cancelCredit: Undo | undefined;

  function control(message: ControlMessage): void {
    add({ channel: controlChannel, payload: encodeControl(message) });
  }

  /** Adds a part to the frame of this turn; a full frame goes first. */
  function add(part: FramePart): void {
    const bytes = partBytes(part.channel, part.payload.length);
    if (partsBytes + bytes > maxFrameBytes - controlBytes) flush();
    parts.push(part);
    partsBytes += bytes;
    schedule();
  }

  function schedule(): void {
    if (isScheduled) return;
    isScheduled = true;
    queueMicrotask(flush);
  }

  /** The channel that stands for a document until the relay has numbered it; each frame names it anew. */
  function localChannel(name: string): number {
    const channel = localChannels.get(name) ?? firstLocalChannel + localChannels.size;
    localChannels.set(name, channel);
    if (!named.has(name)) control({ type: "name", channel, name });
    named.add(name);
    return channel;
  }

  function addCredit(to: FramePart[]): void {
    to.push({ channel: controlChannel, payload: encodeControl({ type: "credit", bytes: taken }) });
    credited = taken;
    stop();
  }

  function stop(): void {
    cancelCredit?.();
    cancelCredit = undefined;
  }

  function flush(): void {
    isScheduled = false;
    const present = parts;
    if (taken - credited > (present.length > 0 ? creditUnsaidBytes : creditEveryBytes - 1))
      addCredit(present);
    if (present.length === 0) return;
    const number = mark();
    if (number !== undefined) {
      present.push({ channel: controlChannel, payload: encodeControl({ type: "mark", number }) });
    }
    parts = [];
    partsBytes = 0;
    named = new Set();
    send(encodeFrame(present));
  }

  return {
    control,
    document(name, payload) {
      const bytes = payload.length + name.length + namingBytes;
      if (partsBytes + bytes > maxFrameBytes - controlBytes) flush();
      add({ channel: channelsByName.get(name) ?? localChannel(name), payload });
    },
    numbered(channel, name) {
      namesByChannel.set(channel, name);
      // The number of a page or register goes when that is dropped, which nobody tells: each frame names it.
      if (name.startsWith("shared")) channelsByName.set(name, channel);
    },
    nameOf: (channel) => namesByChannel.get(channel),
    isChannelOf: (channel, name) =>
      namesByChannel.get(channel) === name || localChannels.get(name) === channel,
    took(bytes) {
      taken += bytes;
      if (taken - credited >= creditEveryBytes) schedule();
      else if (taken - credited > creditUnsaidBytes) {
        cancelCredit ??= clock.after(creditWithinMs, () => {
          addCredit(parts);
          flush();
        });
      }
    },
    flush,
    stop,
  };
}
