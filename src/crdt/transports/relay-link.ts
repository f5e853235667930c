import {
  type Backoff,
  backoffMs,
  type Clock,
  createStore,
  FlockError,
  isFlockError,
  type RandomBytes,
  type Store,
  type Undo,
} from "../../base/index.ts";
import {
  bearerPrefix,
  type ControlMessage,
  closeCodes,
  controlChannel,
  decodeControl,
  decodeFrame,
  isFinalClose,
  type PresenceEntry,
  protocolVersion,
  roomSubprotocol,
  type TokenScope,
} from "../../protocol/index.ts";
import { createFrameWriter, type FrameWriter } from "./frame-writer.ts";
import type { LinkState, LinkStatus, OpenSocket, Socket } from "./port.ts";
import { createRenewal } from "./renewal.ts";
import type { TokenSource } from "./token-source.ts";
import { createUploads, refusalOfUpload, type UploadOutcome, type Uploads } from "./uploads.ts";

/** Where a replica stands in the relay's one sequence of rows. */
export interface Cursor {
  /** The random id of the relay's storage; empty before the first join. */
  epoch: string;
  sequence: number;
}

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
  /** More may be sent than before on this connection: what was kept is to be offered again. */
  released(): void;
  /** Presence that changed since the join; of the others only. */
  presences(entries: readonly PresenceEntry[]): void;
  /** Somebody with this presence id signalled. */
  signalled(from: number, bytes: Uint8Array): void;
  /** The connection, joined or not, is gone. */
  dropped(): void;
  problem(error: FlockError): void;
}

/** The one socket to the relay: frames, join, tokens, acknowledgements, reconnection. It knows nothing of documents. */
export interface RelayLink {
  readonly status: LinkStatus;
  /** Whether an administrator has halted the room, as far as this connection was told. */
  readonly halted: Store<boolean>;
  /** Whether the relay grants this connection a scope. */
  allows(scope: TokenScope): boolean;
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
  /** Signals to a presence id, in the frame of this turn; false where it cannot now. */
  signal(to: number, bytes: Uint8Array): boolean;
}

export interface RelayLinkOptions {
  url: string;
  /** Whom the socket must speak for. */
  principal: string;
  /** Asked before each connection; without it none is offered. */
  tokens: TokenSource | undefined;
  openSocket: OpenSocket;
  clock: Clock;
  random: RandomBytes;
  events: RelayLinkEvents;
}

const retry: Backoff = { firstMs: 250, maxMs: 15_000 };
/** An overloaded relay is left alone as long as after this many failures. */
const overloadedAttempts = 4;
/** A token of the second in which others were revoked is void as well: its moment has no fractions. */
const revokedMs = 1_000;
const pingAfterMs = 20_000;
const deadAfterMs = 45_000;
/** Creates a link; it goes to the network at `connect`. */
export function createRelayLink(options: RelayLinkOptions): RelayLink {
  const { url, principal, tokens, openSocket, clock, random, events } = options;
  const status = createStore<LinkState>("offline");
  const halted = createStore(false);
  let wanted = false;
  let socket: Socket | undefined;
  /** The attempt that waits for a token. */
  let asking: object | undefined;
  let attempts = 0;
  let stopTimer: Undo = () => {};
  let presence: string | undefined;
  let token = "";
  /** The last token that the relay refused and why, and how many it has refused since the last join. */
  let refused: { token: string; code: string } | undefined;
  let refusals = 0;
  /** A provider that goes on failing is told once. */
  let isFailureTold = false;

  // Of one connection:
  let { writer, uploads } = createConnection();
  let scopes: readonly TokenScope[] = [];
  let joined = false;
  let cursor: Cursor = { epoch: "", sequence: 0 };
  let lastHeardAt = 0;

  function createConnection(): { writer: FrameWriter; uploads: Uploads } {
    const own: FrameWriter = createFrameWriter({
      send(frame) {
        // The turn may end after its connection, when the next one has begun.
        if (own === writer) socket?.send(frame);
      },
      mark: () => ownUploads.mark(),
      clock,
    });
    const ownUploads = createUploads(own.document);
    return { writer: own, uploads: ownUploads };
  }

  const renewal =
    tokens &&
    createRenewal({
      tokens,
      clock,
      random,
      onToken(next) {
        token = next;
        writer.control({ type: "token", token });
      },
      onFailed: tellFailure,
    });

  function open(): void {
    stopTimer();
    status.set("connecting");
    if (!tokens) {
      dial([roomSubprotocol]);
      return;
    }
    const attempt = {};
    asking = attempt;
    const settle = (work: () => void): void => {
      if (asking !== attempt) return;
      asking = undefined;
      stopTimer();
      work();
    };
    const fail = (error: FlockError): void => {
      settle(() => {
        tellFailure(error);
        openLater();
      });
    };
    const late = new FlockError("room/token-failed", `The application gave no token in ${deadAfterMs} ms.`);
    stopTimer = clock.after(deadAfterMs, () => fail(late));
    tokens.fetch().then(
      (next) =>
        settle(() => {
          isFailureTold = false;
          token = next;
          if (token === refused?.token) stop(tokenRefused(refused.code));
          else dial([roomSubprotocol, `${bearerPrefix}${token}`]);
        }),
      (failure: unknown) => {
        if (isFlockError(failure)) fail(failure);
      },
    );
  }

  function openLater(atLeastMs = 0): void {
    stopTimer = clock.after(atLeastMs + backoffMs(attempts++, retry, random), open);
    status.set("connecting");
  }

  function tellFailure(error: FlockError): void {
    if (!isFailureTold) events.problem(error);
    isFailureTold = true;
  }

  function tokenRefused(code: string): FlockError {
    return new FlockError("room/token-failed", `The relay refused the application's token (${code}).`, {
      details: { code },
    });
  }

  function dial(protocols: readonly string[]): void {
    ({ writer, uploads } = createConnection());
    scopes = [];
    joined = false;
    lastHeardAt = clock.now();
    const current: Socket = openSocket(url, protocols, {
      onOpen() {
        if (socket !== current) return;
        cursor = events.cursor();
        writer.control({ type: "join", version: protocolVersion, ...cursor });
        writer.flush();
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
      // A wall that was set back must not hide a silence.
      lastHeardAt = Math.min(lastHeardAt, clock.now());
      const quietMs = clock.now() - lastHeardAt;
      if (quietMs > deadAfterMs) {
        drop(1006, "silent");
        return;
      }
      if (joined && quietMs > pingAfterMs) writer.control({ type: "ping" });
      watch();
    });
  }

  /** Ends the connection from this side. */
  function drop(code: number, reason: string): void {
    const current = socket;
    close(code, reason);
    current?.close();
  }

  function close(code: number, reason: string): void {
    stopTimer();
    renewal?.stop();
    writer.stop();
    socket = undefined;
    joined = false;
    status.set("offline");
    halted.set(false);
    uploads.lose();
    events.dropped();
    if (tokens && code === closeCodes.unauthorized) {
      refused = { token, code: reason };
      if (refusals++ > 0) stop(tokenRefused(reason));
    } else if (isFinalClose(code)) {
      stop(
        new FlockError(
          "crdt/refused",
          `The relay closed the room for good (${code} ${reason}): correct what it names and connect again.`,
          { details: { closeCode: code, code: reason } },
        ),
      );
    }
    if (!wanted) return;
    if (code === closeCodes.overloaded) attempts = Math.max(attempts, overloadedAttempts);
    openLater(reason === "edge/token-revoked" ? revokedMs : 0);
  }

  /** Ends all attempts until `connect`. */
  function stop(error: FlockError): void {
    wanted = false;
    status.set("offline");
    events.problem(error);
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
        const name = writer.nameOf(channel);
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
      drop(1002, failure.code);
      return;
    }
    if (socket === heardOn) writer.took(frame.length);
  }

  function handle(message: ControlMessage): void {
    switch (message.type) {
      case "welcome":
        cursor = { epoch: message.epoch, sequence: message.resumed ? cursor.sequence : 0 };
        events.welcomed(message.epoch, message.resumed);
        break;
      case "granted":
        grant(message);
        break;
      case "halted":
        halted.set(message.halted);
        if (joined && !message.halted) events.released();
        break;
      case "name":
        writer.numbered(message.channel, message.name);
        break;
      case "cursor":
        cursor = { epoch: cursor.epoch, sequence: message.sequence };
        events.advanced(cursor);
        break;
      case "joined":
        joined = true;
        attempts = 0;
        refusals = 0;
        status.set("online");
        sayPresence();
        events.joined();
        break;
      case "acknowledge":
        uploads.acknowledge(message.number);
        break;
      case "refuse": {
        const { channel, code, message: why } = message;
        if (channel === controlChannel) tellRefused(code, why);
        uploads.refuse((name) => writer.isChannelOf(channel, name), code, why);
        break;
      }
      case "presences":
        events.presences(message.entries);
        break;
      case "signalled":
        events.signalled(message.from, message.bytes);
        break;
      case "problem":
        // The close that follows is answered with another token.
        if (!tokens || !message.code.startsWith("edge/token-")) tellRefused(message.code, message.message);
        break;
      default:
        break;
    }
  }

  function tellRefused(code: string, why: string): void {
    events.problem(new FlockError("crdt/refused", `The relay: ${why}`, { details: { code } }));
  }

  function grant({
    principal: granted,
    scopes: next,
    expiresAt,
  }: Extract<ControlMessage, { type: "granted" }>): void {
    if (granted !== principal) {
      wanted = false;
      drop(1000, "");
      stop(
        new FlockError(
          "room/wrong-principal",
          `The relay takes this replica for ${granted}, but the room was opened for ${principal}.`,
          { details: { granted, principal } },
        ),
      );
      return;
    }
    renewal?.granted(expiresAt);
    const isMore = next.some((scope) => !scopes.includes(scope));
    scopes = next;
    if (!joined || !isMore) return;
    sayPresence();
    events.released();
  }

  function allows(scope: TokenScope): boolean {
    return scopes.includes(scope);
  }

  function sayPresence(): void {
    if (joined && presence !== undefined && allows("presence"))
      writer.control({ type: "presence", state: presence });
  }

  return {
    status,
    halted,
    allows,
    connect() {
      if (wanted) return;
      wanted = true;
      attempts = 0;
      refused = undefined;
      refusals = 0;
      isFailureTold = false;
      open();
    },
    disconnect() {
      wanted = false;
      asking = undefined;
      stopTimer();
      if (socket) drop(1000, "");
      status.set("offline");
    },
    rejoin() {
      if (socket) drop(1000, "");
    },
    upload(name, payload) {
      if (!joined || (halted.get() && !name.startsWith("register/"))) {
        return Promise.resolve({ kind: "lost" });
      }
      const refusal = refusalOfUpload(name, payload, allows);
      return refusal ? Promise.resolve(refusal) : uploads.add(name, payload);
    },
    send(name, payload) {
      if (joined) writer.document(name, payload);
    },
    announce(state) {
      presence = state;
      if (joined && allows("presence")) writer.control({ type: "presence", state });
    },
    signal(to, bytes) {
      const canSend = joined && allows("presence");
      if (canSend) writer.control({ type: "signal", to, bytes });
      return canSend;
    },
  };
}
