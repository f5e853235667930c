import {
  type Clock,
  FlockError,
  isFlockError,
  type RandomBytes,
  randomId,
  systemClock,
  systemRandom,
  type Undo,
} from "../../base/index.ts";
import { closeCodeOf, closeCodes } from "../../protocol/index.ts";
import { fanOut } from "./fan-out.ts";
import type { Grant } from "./grant.ts";
import { createLedger } from "./ledger.ts";
import { controlPart } from "./parts.ts";
import type { RoomSocket, RoomStorage } from "./ports.ts";
import { createPresenceBoard } from "./presence.ts";
import { createPresenceIds } from "./presence-ids.ts";
import { receiveFrame } from "./room-socket.ts";
import type { RoomState } from "./room-state.ts";
import { openSession, type Session } from "./session.ts";
import { greetStock, receiveStock } from "./stock-socket.ts";

export interface RoomPorts {
  storage: RoomStorage;
  /** The sockets that stayed open while the room slept. */
  sockets?: Iterable<RoomSocket>;
  clock?: Clock;
  random?: RandomBytes;
  /**
   * Ends this core for good, its sockets are closed already: memory may be ahead of the storage.
   * The host drops the core and opens another over the same storage.
   */
  fail(cause: unknown): void;
}

/** One room of the relay: stores, forwards, checks, acknowledges, whatever it runs on. It builds no document. */
export interface RoomCore {
  /** Takes a new room socket or, with the name of a shared document, that of a stock client. */
  accept(socket: RoomSocket, opening: { grant: Grant; document?: string }): void;
  /** Takes one message; text is refused. */
  receive(socket: RoomSocket, message: Uint8Array | string): void;
  /** A socket is gone. */
  drop(socket: RoomSocket): void;
  /** Stops the timers and forgets what is staged, as falling asleep or a crash would. */
  stop(): void;
}

/** Creates the core of a room that begins, or that wakes. */
export function createRoomCore({
  storage,
  sockets = [],
  clock = systemClock,
  random = systemRandom,
  fail,
}: RoomPorts): RoomCore {
  const sessions = new Map<RoomSocket, Session>();
  const everyone: Iterable<Session> = { [Symbol.iterator]: () => sessions.values() };
  const room: RoomState = {
    storage,
    ledger: createLedger<Session>(storage),
    presence: createPresenceBoard(everyone, clock),
    presenceIds: createPresenceIds(storage),
    sessions: everyone,
    epoch() {
      const stored = storage.setting("epoch");
      if (stored !== undefined) return stored;
      const epoch = randomId(random);
      storage.commit({ settings: { epoch } });
      return epoch;
    },
  };
  let cancelTurn: Undo | undefined;
  let stopped = false;

  for (const socket of sockets) sessions.set(socket, openSession(socket));

  /** Ends the turn: what is staged is stored, and only then acknowledged and passed on. */
  function endTurn(): boolean {
    const rows = room.ledger.commit();
    fanOut(room.ledger, sessions.values(), rows);
    return rows.length > 0;
  }

  /** A commit and a send cost most: the first write is served at once, those that follow closely share a turn. */
  function scheduleTurn(): void {
    if (cancelTurn || !endTurn()) return;
    cancelTurn = clock.after(
      0,
      guarded(() => {
        cancelTurn = undefined;
        scheduleTurn();
      }),
    );
  }

  function guarded(work: () => void): () => void {
    return () => {
      if (stopped) return;
      try {
        work();
      } catch (cause) {
        abort(cause);
      }
    };
  }

  function abort(cause: unknown): void {
    stop();
    for (const { socket } of sessions.values()) socket.close(closeCodes.unavailable, "edge/unavailable");
    sessions.clear();
    fail(cause);
  }

  function stop(): void {
    stopped = true;
    cancelTurn?.();
    room.presence.stop();
  }

  /** Told once: the attachment remembers it, should the socket's close wake the room. */
  function forget(session: Session): void {
    sessions.delete(session.socket);
    room.presence.withdraw(session);
  }

  function expel(session: Session, { code, message }: FlockError): void {
    endTurn();
    if (session.kind === "room") session.socket.send(controlPart({ type: "problem", code, message }));
    forget(session);
    session.socket.close(closeCodeOf(code), code);
  }

  function dispatch(session: Session, message: Uint8Array | string): void {
    if (typeof message === "string") {
      throw new FlockError("protocol/malformed-frame", "A text message: this socket speaks binary only.");
    }
    if (session.kind === "room") receiveFrame(room, session, message);
    else receiveStock(room, session, message);
  }

  return {
    accept: (socket, { grant, document }) =>
      guarded(() => {
        socket.writeAttachment(
          document === undefined
            ? { kind: "room", grant }
            : {
                kind: "stock",
                grant,
                document,
                caughtUp: false,
                presence: { id: room.presenceIds.next(), clock: 0 },
              },
        );
        const session = openSession(socket);
        sessions.set(socket, session);
        if (session.kind === "room") return;
        greetStock(room, session);
        scheduleTurn();
      })(),
    receive: (socket, message) =>
      guarded(() => {
        const session = sessions.get(socket);
        if (!session) return;
        try {
          dispatch(session, message);
        } catch (problem) {
          if (!isFlockError(problem)) throw problem;
          expel(session, problem);
          return;
        }
        scheduleTurn();
      })(),
    drop: (socket) =>
      guarded(() => {
        // A close that wakes the room is of a socket that is no longer among the open ones.
        forget(sessions.get(socket) ?? openSession(socket));
      })(),
    stop,
  };
}
