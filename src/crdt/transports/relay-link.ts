import {
  type Backoff,
  backoffMs,
  type Clock,
  createStore,
  type ErrorCode,
  FlockError,
  type RandomBytes,
  type Undo,
} from "../../base/index.ts";
import {
  type ControlMessage,
  controlChannel,
  decodeControl,
  decodeFrame,
  encodeControl,
  encodeFrame,
  type FramePart,
  isFinalClose,
  maxFrameBytes,
  maxUpdateBytes,
  type PresenceEntry,
  partBytes,
  protocolVersion,
  roomSubprotocol,
} from "../../protocol/index.ts";
import type { LinkState, LinkStatus, OpenSocket, Socket } from "./port.ts";

/** Where a replica stands in the relay's one sequence of rows. */
export interface Cursor {
  /** The random id of the relay's storage; empty before the first join. */
  epoch: string;
  sequence: number;
}

/** What became of an upload. */
export type UploadOutcome =
  /** The relay has it in its storage. */
  | { kind: "acknowledged" }
  /** The relay will not have it; after `gate/gap` and `gate/overlap` a sync step 1 tells what it has. */
  | { kind: "refused"; code: string; message: string }
  /** The connection went before the answer: the relay may have it or not. */
  | { kind: "lost" };

/** What the link tells its room. */
export interface RelayLinkEvents {
  /** The cursor to join with. */
  cursor(): Cursor;
  /** The relay took the join; `resumed` is false where the cursor did not hold. */
  welcomed(epoch: string, resumed: boolean): void;
  /** A message of a document, in the relay's order. */
  message(name: string, payload: Uint8Array): void;
  /** Every row up to here has been told. */
  advanced(cursor: Cursor): void;
  /** All rows of the join are told; uploads may begin. */
  joined(): void;
  /** Presence that changed since the join; of the others only. */
  presences(entries: readonly PresenceEntry[]): void;
  /** The connection, joined or not, is gone. */
  dropped(): void;
  problem(error: FlockError): void;
}

/** The one socket to the relay: frames, join, acknowledgements, reconnection. It knows nothing of documents. */
export interface RelayLink {
  readonly status: LinkStatus;
  connect(): void;
  disconnect(): void;
  /** Drops the connection and joins anew, with whatever cursor the room then has. */
  rejoin(): void;
  /** Sends an update of a document; resolves with what became of it. Call only while online. */
  upload(name: string, payload: Uint8Array): Promise<UploadOutcome>;
  /** Sends a document message that asks for no acknowledgement. */
  send(name: string, payload: Uint8Array): void;
  /** Announces this replica's presence, JSON text; said again after each reconnection. */
  announce(state: string | undefined): void;
}

export interface RelayLinkOptions {
  url: string;
  openSocket: OpenSocket;
  clock: Clock;
  random: RandomBytes;
  events: RelayLinkEvents;
}

const retry: Backoff = { firstMs: 250, maxMs: 15_000 };
const pingAfterMs = 20_000;
const deadAfterMs = 45_000;
/** Frame-local channels of documents whose number the relay has not told yet. */
const firstLocalChannel = 2 ** 30;

interface PendingUpload {
  mark: number;
  name: string;
  refusal: { code: string; message: string } | undefined;
  resolve(outcome: UploadOutcome): void;
}

/** Creates a link; it goes to the network at `connect`. */
export function createRelayLink({ url, openSocket, clock, random, events }: RelayLinkOptions): RelayLink {
  const status = createStore<LinkState>("offline");
  let wanted = false;
  let socket: Socket | undefined;
  let attempts = 0;
  let stopTimer: Undo = () => {};
  let presence: string | undefined;

  // Of one connection:
  let namesByChannel = new Map<number, string>();
  let channelsByName = new Map<string, number>();
  let parts: FramePart[] = [];
  let partsBytes = 0;
  /** Channels that this side made up, by document; a refusal may name one. */
  let localChannels = new Map<string, number>();
  /** The documents that the present frame names. */
  let named = new Set<string>();
  let flushing = false;
  let mark = 0;
  let pending: PendingUpload[] = [];
  let joined = false;
  let cursor: Cursor = { epoch: "", sequence: 0 };
  let lastHeardAt = 0;

  function open(): void {
    stopTimer();
    status.set("connecting");
    namesByChannel = new Map();
    channelsByName = new Map();
    parts = [];
    partsBytes = 0;
    localChannels = new Map();
    named = new Set();
    mark = 0;
    joined = false;
    lastHeardAt = clock.now();
    const current: Socket = openSocket(url, [roomSubprotocol], {
      onOpen() {
        if (socket !== current) return;
        cursor = events.cursor();
        control({ type: "join", version: protocolVersion, ...cursor });
        flush();
      },
      onFrame(frame) {
        if (socket === current) receive(frame);
      },
      onClose(code, reason) {
        if (socket === current) close(code, reason);
      },
    });
    socket = current;
    watch();
  }

  /** Asks for a sign of life in the quiet, and gives up on a connection that stays silent. */
  function watch(): void {
    stopTimer = clock.after(pingAfterMs / 4, () => {
      const quietMs = clock.now() - lastHeardAt;
      if (quietMs > deadAfterMs) {
        const dead = socket;
        close(1006, "silent");
        dead?.close();
        return;
      }
      if (joined && quietMs > pingAfterMs) control({ type: "ping" });
      watch();
    });
  }

  function close(code: number, reason: string): void {
    stopTimer();
    socket = undefined;
    joined = false;
    status.set("offline");
    const lost = pending;
    pending = [];
    for (const { resolve } of lost) resolve({ kind: "lost" });
    events.dropped();
    if (isFinalClose(code)) {
      wanted = false;
      events.problem(
        new FlockError(
          "crdt/refused",
          `The relay closed the room for good (${code} ${reason}): correct what it names and connect again.`,
          {
            details: { closeCode: code, reason },
          },
        ),
      );
    }
    if (!wanted) return;
    stopTimer = clock.after(backoffMs(attempts++, retry, random), open);
    status.set("connecting");
  }

  function receive(frame: Uint8Array): void {
    lastHeardAt = clock.now();
    const heardOn = socket;
    try {
      for (const { channel, payload } of decodeFrame(frame)) {
        // A listener may have dropped the connection: what follows rests on what it refused.
        if (socket !== heardOn) return;
        if (channel === controlChannel) {
          handle(decodeControl(payload));
          continue;
        }
        const name = namesByChannel.get(channel);
        if (name === undefined)
          throw new FlockError(
            "protocol/unknown-channel",
            `The relay used channel ${channel} before naming it.`,
          );
        events.message(name, payload);
      }
    } catch (failure) {
      if (!(failure instanceof FlockError)) throw failure;
      events.problem(failure);
      const current = socket;
      close(1002, failure.code);
      current?.close();
      return;
    }
  }

  function handle(message: ControlMessage): void {
    switch (message.type) {
      case "welcome":
        cursor = { epoch: message.epoch, sequence: message.resumed ? cursor.sequence : 0 };
        events.welcomed(message.epoch, message.resumed);
        break;
      case "name":
        namesByChannel.set(message.channel, message.name);
        channelsByName.set(message.name, message.channel);
        break;
      case "cursor":
        cursor = { epoch: cursor.epoch, sequence: message.sequence };
        events.advanced(cursor);
        break;
      case "joined":
        joined = true;
        attempts = 0;
        status.set("online");
        if (presence !== undefined) control({ type: "presence", state: presence });
        events.joined();
        break;
      case "acknowledge":
        acknowledge(message.number);
        break;
      case "refuse": {
        const name = namesByChannel.get(message.channel);
        for (const upload of pending) {
          if (upload.name === name || localChannels.get(upload.name) === message.channel)
            upload.refusal ??= { code: message.code, message: message.message };
        }
        break;
      }
      case "presences":
        events.presences(message.entries);
        break;
      case "problem":
        events.problem(
          new FlockError("crdt/refused", `The relay: ${message.message}`, {
            details: { code: message.code as ErrorCode },
          }),
        );
        break;
      default:
        break;
    }
  }

  function acknowledge(number: number): void {
    const answered = pending.filter((upload) => upload.mark <= number);
    pending = pending.filter((upload) => upload.mark > number);
    // A refusal belongs to the first answer after it.
    for (const upload of pending) upload.refusal = undefined;
    for (const { refusal, resolve } of answered) {
      resolve(refusal ? { kind: "refused", ...refusal } : { kind: "acknowledged" });
    }
  }

  function control(message: ControlMessage): void {
    add({ channel: controlChannel, payload: encodeControl(message) });
  }

  /** Adds a part to the frame of this turn; a full frame goes first. */
  function add(part: FramePart): void {
    const bytes = partBytes(part.channel, part.payload.length);
    if (partsBytes + bytes > maxFrameBytes - 64) flush();
    parts.push(part);
    partsBytes += bytes;
    if (flushing) return;
    flushing = true;
    queueMicrotask(flush);
  }

  function addDocument(name: string, payload: Uint8Array): void {
    const bytes = payload.length + name.length + 32;
    if (partsBytes + bytes > maxFrameBytes - 64) flush();
    add({ channel: channelsByName.get(name) ?? localChannel(name), payload });
  }

  /** The channel that stands for a document until the relay has numbered it; each frame names it anew. */
  function localChannel(name: string): number {
    const channel = localChannels.get(name) ?? firstLocalChannel + localChannels.size;
    localChannels.set(name, channel);
    if (!named.has(name)) control({ type: "name", channel, name });
    named.add(name);
    return channel;
  }

  function flush(): void {
    flushing = false;
    const present = parts;
    if (present.length === 0 || !socket) return;
    if (pending.some((upload) => upload.mark > mark)) {
      mark++;
      present.push({ channel: controlChannel, payload: encodeControl({ type: "mark", number: mark }) });
    }
    parts = [];
    partsBytes = 0;
    named = new Set();
    socket.send(encodeFrame(present));
  }

  function expect(name: string): Promise<UploadOutcome> {
    return new Promise((resolve) => {
      pending.push({ mark: mark + 1, name, refusal: undefined, resolve });
    });
  }

  return {
    status,
    connect() {
      if (wanted) return;
      wanted = true;
      attempts = 0;
      open();
    },
    disconnect() {
      wanted = false;
      stopTimer();
      const current = socket;
      if (current) {
        close(1000, "");
        current.close();
      }
      status.set("offline");
    },
    rejoin() {
      const current = socket;
      if (!current) return;
      close(1000, "");
      current.close();
    },
    upload(name, payload) {
      if (!joined) return Promise.resolve({ kind: "lost" });
      if (payload.length > maxUpdateBytes) {
        return Promise.resolve({
          kind: "refused",
          code: "protocol/update-too-large",
          message: `An update of ${payload.length} bytes is past ${maxUpdateBytes}: make smaller changes, or send large content by reference.`,
        });
      }
      addDocument(name, payload);
      return expect(name);
    },
    send(name, payload) {
      if (joined) addDocument(name, payload);
    },
    announce(state) {
      presence = state;
      if (joined) control({ type: "presence", state });
    },
  };
}
