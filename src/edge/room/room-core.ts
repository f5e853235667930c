import {
  type Clock,
  FlockError,
  isFlockError,
  type RandomBytes,
  systemClock,
  systemRandom,
} from "../../base/index.ts";
import { closeCodeOf, closeCodes } from "../../protocol/index.ts";
import { type RoomObserver, silentObserver } from "../operations/observer.ts";
import { assertAdmitted, refusalOfGrant, refusalOfOpening } from "./access.ts";
import { createRoomAdministration, type RoomAdministration } from "./administration.ts";
import { createAlarms, type Deadline } from "./alarms.ts";
import { discardUnfinishedImport } from "./condition.ts";
import { epochOf } from "./epoch.ts";
import type { Grant } from "./grant.ts";
import { createLedger } from "./ledger/ledger.ts";
import { defaultRoomLimits, type RoomLimits } from "./limits.ts";
import { createEgress } from "./pacing/egress.ts";
import { createIntake } from "./pacing/intake.ts";
import { createOutflow, windowBytes } from "./pacing/outflow.ts";
import { createReplays, everyDocument } from "./pacing/replay.ts";
import { createTraffic } from "./pacing/traffic.ts";
import { createTurns } from "./pacing/turns.ts";
import type { RoomSocket, RoomStorage } from "./ports.ts";
import { createRenewals } from "./renewals.ts";
import type { RoomState } from "./room-state.ts";
import { createSessionDeadlines } from "./session-deadlines.ts";
import { answer, takesNothing } from "./sockets/answers.ts";
import { fanOut } from "./sockets/fan-out.ts";
import { sendRoomChunk } from "./sockets/join.ts";
import { controlPart } from "./sockets/parts.ts";
import { createPresenceBoard } from "./sockets/presence.ts";
import { createPresenceIds } from "./sockets/presence-ids.ts";
import { receiveFrame } from "./sockets/room-socket.ts";
import { openSession, type Session, saveSession } from "./sockets/session.ts";
import { documentOf } from "./sockets/stock-flow.ts";
import { greetStock, receiveStock, sendStockChunk } from "./sockets/stock-socket.ts";
import { createUpkeep } from "./upkeep.ts";

/** What a turn gathers before it ends whatever the tick, in bytes. */
const turnBytes = 4 * 1024 * 1024;

export interface RoomPorts {
  storage: RoomStorage;
  /** The sockets that stayed open while the room slept. */
  sockets?: Iterable<RoomSocket>;
  clock?: Clock;
  random?: RandomBytes;
  limits?: RoomLimits;
  /** After how many days without a write a writer's pages and register are dropped; default 0, never. */
  retentionDays?: number;
  observer?: RoomObserver;
  /**
   * Checks a token that an open socket goes on with; rejects with the `FlockError` to close it with. Without it
   * there are no tokens, and the grant stays.
   */
  verifyToken?(token: string): Promise<Grant>;
  /** Sets, moves or clears the one alarm, at which the host calls `alarm`. Without it the clock's timers serve. */
  setAlarm?(atMs: number | undefined): void;
  /**
   * Ends this core for good, its sockets are closed already: memory may be ahead of the storage.
   * The host drops the core and opens another over the same storage.
   */
  fail(cause: unknown): void;
}

/** One room of the relay: stores, forwards, checks, acknowledges, whatever it runs on. */
export interface RoomCore {
  /** Takes a new room socket or, with the name of a shared document, that of a stock client. */
  accept(socket: RoomSocket, opening: { grant: Grant; document?: string }): void;
  /** Takes one message; text is refused. */
  receive(socket: RoomSocket, message: Uint8Array | string): void;
  /** A socket is gone. */
  drop(socket: RoomSocket): void;
  /** The moment of `setAlarm` has come, also when it is what woke the room. */
  alarm(): void;
  /** The host does something that concerns no socket: if that woke the room, its deadlines are set again. */
  wake(): void;
  /** What a holder of scope `admin` does with the room. */
  readonly administration: RoomAdministration;
  /** Stops the timers and forgets what is staged, as falling asleep or a crash would. */
  stop(): void;
}

/** Creates the core of a room that begins, or that wakes. */
export function createRoomCore({
  storage,
  sockets = [],
  clock = systemClock,
  random = systemRandom,
  limits = defaultRoomLimits,
  retentionDays = 0,
  observer = silentObserver,
  verifyToken,
  setAlarm,
  fail,
}: RoomPorts): RoomCore {
  discardUnfinishedImport(storage);
  const sessions = new Map<RoomSocket, Session>();
  const everyone: Iterable<Session> = { [Symbol.iterator]: () => sessions.values() };
  for (const socket of sockets) sessions.set(socket, openSession(socket));
  let stopped = false;

  const ledger = createLedger<Session>(storage, {
    limits,
    clock,
    observer,
    compacted: (sequence) => replays.compacted(sequence),
    dropped: () => replays.forget(),
  });
  const outflow = createOutflow(everyone, {
    connections: limits.connections,
    clock,
    othersWait: (principal) => replays.sessions.isBeside(principal),
  });
  const egress = createEgress(limits.bytesOutPerSecond, clock);
  const intake = createIntake(limits, clock);
  const presence = createPresenceBoard({
    sessions: everyone,
    clock,
    outflow,
    limits,
    giveUp: (session) => expel(session, takesNothing()),
  });
  const replays = createReplays(everyone, {
    clock,
    outflow,
    head: () => ledger.head,
    documentFor: (session) => (session.kind === "room" ? everyDocument : documentOf(room, session)?.id),
    stored: (document, after) =>
      document === everyDocument ? storage.rowsAfter(after) : storage.rowsOf(document, after),
    waitMs: (session) => egress.waitMs(session.attachment.grant.principal),
    send(session, delivery) {
      // What a replica gives credit for it has paid with its own time; the first window and stock clients have not.
      if (session.kind === "stock" || session.sent < windowBytes) {
        egress.charge(session.attachment.grant.principal, delivery.chunk.bytes);
      }
      if (session.kind === "stock") sendStockChunk(room, session, delivery);
      else sendRoomChunk(room, session, delivery);
    },
    guarded,
  });
  let presenceIds = createPresenceIds(storage);
  const room: RoomState = {
    storage,
    clock,
    limits,
    observer,
    ledger,
    presence,
    get presenceIds() {
      return presenceIds;
    },
    outflow,
    replays,
    egress,
    intake,
    sessions: everyone,
    epoch: () => epochOf(storage, random),
    renew: (session, token) => renewals.renew(session, token),
    resume(session) {
      // While only shares are left, nobody gains by what another has taken.
      const only = outflow.isExhausted ? session : undefined;
      if (replays.sessions.size > 0) replays.pump(only);
      // What it has taken is remembered, though it may be told nothing yet.
      if (session && replays.sessions.has(session)) saveSession(session);
      presence.catchUp(only);
    },
    expel,
  };
  const renewals = createRenewals(room, {
    verifyToken,
    guarded,
    dismiss,
    renewed: () => deadlines.watchExpiry(),
  });
  const traffic = createTraffic(observer, outflow, replays);
  const turns = createTurns({ clock, end: endTurn, guarded });
  const alarms = createAlarms({ clock, setAlarm, ring: guarded(ring) });
  const deadlines = createSessionDeadlines({ room, alarms, dismiss });
  const upkeep = createUpkeep({ storage, ledger, clock, alarms, retentionDays, endTurn });
  const administration = createRoomAdministration({
    storage,
    limits,
    clock,
    random,
    hooks: {
      endTurn: () => void orEnd(endTurn),
      closeAll(code, message) {
        for (const session of [...sessions.values()]) expel(session, new FlockError(code, message));
      },
      tellHalted(halted) {
        const part = controlPart({ type: "halted", halted });
        for (const session of sessions.values()) {
          if (session.kind === "room" && session.attachment.presence) answer(room, session, part);
        }
      },
      recheckGrants() {
        const now = clock.now();
        for (const session of sessions.values()) {
          const refusal = refusalOfGrant(storage, session.attachment.grant, now);
          if (refusal) orEnd(() => dismiss(session, refusal));
        }
        orEnd(() => room.resume());
      },
      reload: () =>
        orEnd(() => {
          ledger.reload();
          replays.forget();
          presenceIds = createPresenceIds(storage);
          upkeep.reload();
        }),
    },
  });
  let isNew = true;

  /** Ends the turn: what is staged is stored, and only then acknowledged and passed on. */
  function endTurn(): boolean {
    turns.ended();
    const audited = ledger.audited;
    const rows = ledger.commit();
    fanOut(room, rows);
    traffic.tell(rows);
    if (rows.length > 0) upkeep.watch();
    return rows.length > 0 || ledger.audited > audited;
  }

  function guarded(work: () => void): () => void {
    return () => {
      if (stopped) return;
      try {
        if (isNew) wakeUp();
        work();
        deadlines.watchStalls();
      } catch (cause) {
        abort(cause);
      }
    };
  }

  /** Runs a part of what an administrator asked for, who is told where it fails; the room then ends, as after an event. */
  function orEnd<T>(work: () => T): T {
    try {
      return work();
    } catch (cause) {
      abort(cause);
      throw cause;
    }
  }

  /** Readers who lagged when the room fell asleep go on when they say what they have taken, or once others are closed. */
  function wakeUp(): void {
    isNew = false;
    deadlines.watchExpiry();
    deadlines.watchStalls();
    upkeep.watchRetention();
  }

  function abort(cause: unknown): void {
    stop();
    for (const { socket } of sessions.values()) socket.close(closeCodes.unavailable, "edge/unavailable");
    sessions.clear();
    fail(cause);
  }

  function stop(): void {
    stopped = true;
    turns.stop();
    presence.stop();
    replays.stop();
    alarms.stop();
  }

  /** Told once: the attachment remembers it, should the socket's close wake the room. */
  function forget(session: Session): void {
    const { attachment } = session;
    sessions.delete(session.socket);
    outflow.release(session);
    replays.release(session);
    presence.withdraw(session);
    delete attachment.presence?.state;
    delete attachment.toldUpTo;
    delete attachment.presenceHeld;
    attachment.caughtUp = false;
    saveSession(session);
    observer.gauge("sockets", sessions.size);
    if (sessions.size === 0) deadlines.watchExpiry();
  }

  function expel(session: Session, { code, message }: FlockError): void {
    if (session.isGone) return;
    if (session.kind === "room") session.socket.send(controlPart({ type: "problem", code, message }));
    forget(session);
    session.socket.close(closeCodeOf(code), code);
    observer.count("closed", 1, code);
    const { principal, tokenId } = session.attachment.grant;
    observer.log("info", "socket closed", { principal, tokenId, code, closeCode: closeCodeOf(code) });
  }

  /** Closes a session after what it has sent is stored and told. */
  function dismiss(session: Session, problem: FlockError): void {
    endTurn();
    expel(session, problem);
  }

  function ring(): void {
    // Looked up again, should the alarm be what woke the room.
    upkeep.watch();
    for (const deadline of alarms.takeDue()) meet(deadline);
  }

  function meet(deadline: Deadline): void {
    switch (deadline) {
      case "expiry":
        deadlines.closeExpired();
        break;
      case "stalled":
        deadlines.closeStalled();
        break;
      case "compaction":
        upkeep.compact();
        break;
      case "retention":
        upkeep.expire();
        break;
    }
  }

  function dispatch(session: Session, message: Uint8Array | string): void {
    if (typeof message === "string") {
      throw new FlockError("protocol/malformed-frame", "A text message: this socket speaks binary only.");
    }
    traffic.received(message.length);
    assertAdmitted(session, message.length, intake, clock.now());
    if (session.kind === "room") receiveFrame(room, session, message);
    else receiveStock(room, session, message);
  }

  /** Runs what a session has led to, and closes it where that was a fault. */
  function onBehalf(session: Session, work: () => void): void {
    try {
      work();
    } catch (problem) {
      if (!isFlockError(problem)) throw problem;
      if (problem.code !== "edge/rate-limited") {
        intake.refused(session.attachment.grant.principal, problem.code);
      }
      dismiss(session, problem);
      return;
    }
    if (ledger.stagedBytes >= turnBytes) endTurn();
    else turns.note();
  }

  return {
    accept: (socket, { grant, document }) =>
      guarded(() => {
        const refusal = refusalOfOpening({ storage, sessions: everyone, limits, intake }, grant, clock.now());
        socket.writeAttachment(
          document === undefined
            ? { kind: "room", grant, caughtUp: false }
            : {
                kind: "stock",
                grant,
                document,
                caughtUp: false,
                presence: { id: refusal ? 0 : presenceIds.next(), clock: 0 },
              },
        );
        const session = openSession(socket, { isNew: true });
        if (refusal) {
          expel(session, refusal);
          return;
        }
        sessions.set(socket, session);
        observer.gauge("sockets", sessions.size);
        if (grant.expiresAt !== undefined) deadlines.watchExpiry();
        if (session.kind === "stock") onBehalf(session, () => greetStock(room, session));
      })(),
    receive(socket, message) {
      const session = sessions.get(socket);
      // What a closed socket had sent before it knew still comes, however much it is.
      if (session) guarded(() => onBehalf(session, () => dispatch(session, message)))();
    },
    drop: (socket) =>
      guarded(() => {
        // A close that wakes the room is of a socket that is no longer among the open ones.
        forget(sessions.get(socket) ?? openSession(socket));
        room.resume();
      })(),
    alarm() {
      alarms.rang();
      guarded(ring)();
    },
    wake: guarded(() => {}),
    administration,
    stop,
  };
}
