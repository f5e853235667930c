import type { Clock, RandomBytes, Undo } from "../../base/index.ts";
import type { RoomAdministration } from "../../edge/index.ts";
import { bearerPrefix, socketPath, tokenScopes } from "../../protocol/index.ts";
import { createHost, type Host } from "./host.ts";
import type { SimulatedRandom } from "./random.ts";
import type { Timeline } from "./timeline.ts";
import { openGrant, type RelayGrant } from "./tokens.ts";

/** A socket as the relay's code sees it; `Attachment` is what it remembers of one while it sleeps. */
export interface RelaySocket<Attachment> {
  send(bytes: Uint8Array): void;
  close(code: number, reason: string): void;
  readAttachment(): Attachment;
  writeAttachment(attachment: Attachment): void;
}

/** What the relay's code needs of its machine. */
export interface RelayCorePorts<Storage, Attachment> {
  storage: Storage;
  /** The sockets that stayed open while the room slept. */
  sockets: Iterable<RelaySocket<Attachment>>;
  clock: Clock;
  random: RandomBytes;
  /** Reads the token that an open socket goes on with. */
  verifyToken(token: string): Promise<RelayGrant>;
  /** The one alarm of the room; it outlives a sleep and a crash. */
  setAlarm(atMs: number | undefined): void;
  fail(cause: unknown): void;
}

/** Who brings no token is the same principal as all of them and may do everything, as at a relay in development mode. */
const everything: RelayGrant = { principal: "anon", scopes: tokenScopes, tokenId: "simulated", issuedAt: 0 };

/** One room of the relay at work. */
export interface RelayCore<Attachment> {
  accept(socket: RelaySocket<Attachment>, opening: { grant: RelayGrant }): void;
  receive(socket: RelaySocket<Attachment>, message: Uint8Array): void;
  drop(socket: RelaySocket<Attachment>): void;
  alarm(): void;
  readonly administration: RoomAdministration;
  stop(): void;
}

/** The relay's code, handed in: `{ createStorage: createInMemoryStorage, createCore: createRoomCore }`. */
export interface RelayCode<Storage, Attachment> {
  /** The storage of a new room; it outlives every core that works on it. */
  createStorage(): Storage;
  createCore(ports: RelayCorePorts<Storage, Attachment>): RelayCore<Attachment>;
}

/** The references at the relay, by path. They outlive its crashes and resets, as a bucket beside it does. */
export type Blobs = Map<string, { bytes: Uint8Array; contentType: string }>;

/** How badly a relay behaves. */
export interface RelayFaults {
  /** Milliseconds that each frame takes longer, there and back. */
  slowMs: number;
  /** The probability that the upload of a reference is answered 503. */
  failedUploads: number;
  /** Milliseconds that each answer about a reference takes longer. */
  lateBlobsMs: number;
}

const soundRelay: Readonly<RelayFaults> = { slowMs: 0, failedUploads: 0, lateBlobsMs: 0 };

/** The relay that every replica connects to, one process with many rooms. */
export interface SimulatedRelay {
  /** What rooms take as `relay`. */
  readonly url: string;
  readonly up: boolean;
  /** Kills the process: connections break, and what was not committed is lost; the storage stays. */
  crash(): void;
  /** Starts it again over the same storage. */
  start(): void;
  /**
   * Lets every room fall asleep and wake, sockets open: memory is lost, attachments stay. While a timer runs the
   * platform does not let it sleep, and nothing happens.
   */
  sleep(): void;
  /**
   * What an administrator does with a room.
   *
   * @throws RangeError while the process is down
   */
  administer(room: string): RoomAdministration;
  /** Crashes, wipes the storage of every room, and starts: a relay restored from nothing. Blobs stay. */
  reset(): void;
  /** Makes it behave worse, or better, from now on; what is not named stays. */
  impair(faults: Partial<RelayFaults>): void;
  /** Undoes every `impair`. */
  mend(): void;
  /** The ids of the references that it has, of all rooms, oldest first. */
  references(): string[];
  /** Loses the bytes of a reference; false where it has none. */
  loseReference(id: string): boolean;
}

/** The far end of a client's connection. */
export interface RelayPeer {
  receive(frame: Uint8Array): void;
  /** The client is gone. */
  drop(): void;
}

/** What the relay does to a client's connection. */
export interface RemoteClient {
  send(frame: Uint8Array): void;
  close(code: number, reason: string): void;
  /** The relay's process died. */
  lost(): void;
}

/** The relay with the side that the network uses. */
export interface RelayProcess extends SimulatedRelay {
  readonly faults: Readonly<RelayFaults>;
  readonly blobs: Blobs;
  /** Takes a connection with the subprotocols that it offers; undefined while the process is down. */
  accept(path: string, protocols: readonly string[], client: RemoteClient): RelayPeer | undefined;
}

interface RelayRoom<Storage, Attachment> {
  storage: Storage;
  core: RelayCore<Attachment> | undefined;
  open: Map<RelaySocket<Attachment>, RemoteClient>;
  cancelAlarm: Undo;
  /** The alarm came while the process was down. */
  isAlarmDue: boolean;
}

/** A busy process serves its timers a little late, so that turns with more than one frame in them occur. */
const latestTimerMs = 3;

/** Creates a relay that is up. */
export function createSimulatedRelay<Storage, Attachment>(
  timeline: Timeline,
  random: SimulatedRandom,
  code: RelayCode<Storage, Attachment>,
): RelayProcess {
  const rooms = new Map<string, RelayRoom<Storage, Attachment>>();
  const blobs: Blobs = new Map();
  const faults: RelayFaults = { ...soundRelay };
  let process: Host | undefined = boot();

  function boot(): Host {
    return createHost(timeline, "relay", () => random.between(0, latestTimerMs));
  }

  function roomAt(path: string): RelayRoom<Storage, Attachment> {
    const present = rooms.get(path);
    if (present) return present;
    const made: RelayRoom<Storage, Attachment> = {
      storage: code.createStorage(),
      core: undefined,
      open: new Map(),
      cancelAlarm: () => {},
      isAlarmDue: false,
    };
    rooms.set(path, made);
    return made;
  }

  function setAlarm(room: RelayRoom<Storage, Attachment>, atMs: number | undefined): void {
    room.cancelAlarm();
    if (atMs === undefined) return;
    room.cancelAlarm = timeline.after(atMs - timeline.now(), "relay: alarm", () => {
      const core = coreOf(room);
      if (core) core.alarm();
      else room.isAlarmDue = true;
    });
  }

  function coreOf(room: RelayRoom<Storage, Attachment>): RelayCore<Attachment> | undefined {
    if (!process) return undefined;
    room.core ??= code.createCore({
      storage: room.storage,
      sockets: [...room.open.keys()],
      clock: process.clock,
      random: random.bytes,
      verifyToken: async (token) => openGrant(token),
      setAlarm: (atMs) => setAlarm(room, atMs),
      fail() {
        room.core = undefined;
        room.open.clear();
      },
    });
    return room.core;
  }

  function crash(): void {
    process?.kill();
    process = undefined;
    for (const room of rooms.values()) {
      room.core?.stop();
      room.core = undefined;
      const lost = [...room.open.values()];
      room.open.clear();
      for (const client of lost) client.lost();
    }
  }

  function start(): void {
    if (process) return;
    timeline.note("relay: starts");
    process = boot();
    for (const room of rooms.values()) {
      if (!room.isAlarmDue) continue;
      room.isAlarmDue = false;
      coreOf(room)?.alarm();
    }
  }

  return {
    url: "ws://relay.test",
    get up() {
      return process !== undefined;
    },
    crash,
    start,
    sleep() {
      if (process?.isWaiting) return;
      timeline.note("relay: sleeps");
      for (const room of rooms.values()) {
        room.core?.stop();
        room.core = undefined;
        coreOf(room);
      }
    },
    administer(room) {
      const core = coreOf(roomAt(socketPath(room)));
      if (!core) throw new RangeError("The relay is down: start it first.");
      return core.administration;
    },
    reset() {
      crash();
      timeline.note("relay: reset");
      for (const room of rooms.values()) room.cancelAlarm();
      rooms.clear();
      start();
    },
    faults,
    blobs,
    impair(worse) {
      timeline.note(`relay: impaired ${JSON.stringify(worse)}`);
      Object.assign(faults, worse);
    },
    mend() {
      timeline.note("relay: mended");
      Object.assign(faults, soundRelay);
    },
    references: () => [...blobs.keys()].map((path) => path.slice(path.lastIndexOf("/") + 1)),
    loseReference(id) {
      timeline.note(`relay: loses the reference ${id}`);
      const paths = [...blobs.keys()].filter((path) => path.endsWith(id));
      return paths.map((path) => blobs.delete(path)).includes(true);
    },
    accept(path, protocols, client) {
      const room = roomAt(path);
      const core = coreOf(room);
      if (!core) return undefined;
      let attachment: Attachment | undefined;
      const socket: RelaySocket<Attachment> = {
        send: (bytes) => client.send(bytes.slice()),
        close(closeCode, reason) {
          room.open.delete(socket);
          client.close(closeCode, reason);
        },
        readAttachment: () => structuredClone(attachment) as Attachment,
        writeAttachment(value) {
          attachment = structuredClone(value);
        },
      };
      room.open.set(socket, client);
      const bearer = protocols.find((protocol) => protocol.startsWith(bearerPrefix));
      core.accept(socket, { grant: bearer ? openGrant(bearer.slice(bearerPrefix.length)) : everything });
      return {
        receive(frame) {
          if (room.open.has(socket)) coreOf(room)?.receive(socket, frame);
        },
        drop() {
          if (room.open.delete(socket)) coreOf(room)?.drop(socket);
        },
      };
    },
  };
}
