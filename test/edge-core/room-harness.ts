import type { Clock } from "../../src/base/index.ts";
import {
  createInMemoryStorage,
  createRoomCore,
  defaultRoomLimits,
  developmentGrant,
  type Grant,
  type RoomCore,
  type RoomLimits,
  type RoomObserver,
  type RoomSocket,
  type RoomStorage,
  type SocketAttachment,
  type StorageCommit,
} from "../../src/edge/index.ts";
import { promptTurns } from "../../src/edge/room/pacing/turns.ts";
import { parseScopes } from "../../src/protocol/index.ts";
import { pageOf, pageUpdates } from "./documents.ts";
import { createFrameReader, frameOf, type Item, joinFrame, updateFrame } from "./wire.ts";

/** Time that stands still until a test moves it. */
export interface ManualClock extends Clock {
  advance(ms: number): void;
  /** How many timers are running. */
  readonly waiting: number;
}

export function createManualClock(start = 1_000_000): ManualClock {
  let now = start;
  const timers = new Set<{ at: number; task: () => void }>();
  return {
    now: () => now,
    after(delayMs, task) {
      const timer = { at: now + delayMs, task };
      timers.add(timer);
      return () => void timers.delete(timer);
    },
    advance(ms) {
      const end = now + ms;
      for (;;) {
        const due = [...timers].filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
        if (!due) break;
        timers.delete(due);
        now = Math.max(now, due.at);
        due.task();
      }
      now = end;
    },
    get waiting() {
      return timers.size;
    },
  };
}

/** One client's end of a socket, in memory. */
export interface Peer {
  readonly socket: RoomSocket;
  /** Every message as it was sent. */
  readonly raw: Uint8Array[];
  /** Every frame, read; of a room socket only. */
  readonly frames: Item[][];
  readonly items: Item[];
  /** Bytes of all messages. */
  readonly sentBytes: number;
  closed: { code: number; reason: string } | undefined;
  send(message: Uint8Array | string): void;
  /** Tells the relay that everything was taken. */
  credit(): void;
  /** The client goes away. */
  leave(): void;
  /** The client goes away, and the core has not heard of it yet. */
  vanish(): void;
}

/** A grant as tokens give it: of one principal, with these scopes. */
export function grantOf(principal: string, scopes = "read write:own write:shared presence"): Grant {
  return { principal, scopes: parseScopes(scopes), tokenId: `${principal}-1`, issuedAt: 0 };
}

export interface Harness {
  readonly storage: RoomStorage;
  readonly clock: ManualClock;
  readonly failures: unknown[];
  readonly core: RoomCore;
  /** When the host is to ring, where it has an alarm. */
  readonly alarmAt: number | undefined;
  /** The host has set its alarm for something else. */
  forgetAlarm(): void;
  /** Lets time pass, and the host ring where its alarm comes due. */
  elapse(ms: number): void;
  /** Opens a room socket, or that of a stock client. */
  connect(document?: string, grant?: Grant): Peer;
  /** Opens a room socket and joins. */
  join(epoch?: string, sequence?: number, grant?: Grant): Peer;
  /** Drops the core and creates another over the same storage and open sockets, as waking does. */
  wake(): void;
  /** Writes until the room gathers: what follows shares a turn that ends when the clock moves. */
  crowd(): void;
  /** Lets the peers take what they were sent, and the clock's timers run, until nothing more comes. */
  drain(...peers: readonly Peer[]): void;
}

/** A storage that tells each commit before it is made. */
export function watchedStorage(
  watch: (changes: StorageCommit) => void,
  storage: RoomStorage = createInMemoryStorage(),
): RoomStorage {
  return {
    ...storage,
    commit(changes) {
      watch(changes);
      storage.commit(changes);
    },
  };
}

export interface HarnessOptions {
  limits?: Partial<RoomLimits>;
  retentionDays?: number;
  observer?: RoomObserver;
  verifyToken?: (token: string) => Promise<Grant>;
  /** Whether the host has an alarm; without one the core uses timers. */
  alarm?: boolean;
  /** Keep what is sent as frames and items; default true. */
  keep?: boolean;
}

export function createHarness(
  storage: RoomStorage = createInMemoryStorage(),
  { limits = {}, retentionDays = 0, observer, verifyToken, alarm = false, keep = true }: HarnessOptions = {},
): Harness {
  const clock = createManualClock();
  const failures: unknown[] = [];
  const open = new Set<RoomSocket>();
  let alarmAt: number | undefined;
  let crowds = 0;
  let core = create();

  function setAlarm(atMs: number | undefined): void {
    alarmAt = atMs;
  }

  function create(): RoomCore {
    return createRoomCore({
      storage,
      clock,
      sockets: [...open],
      random: (length) => new Uint8Array(length).map((_, index) => index + failures.length),
      limits: { ...defaultRoomLimits, ...limits },
      retentionDays,
      ...(observer && { observer }),
      ...(verifyToken && { verifyToken }),
      ...(alarm && { setAlarm }),
      fail: (cause) => failures.push(cause),
    });
  }

  function connect(document?: string, grant: Grant = developmentGrant): Peer {
    let attachment: string | undefined;
    const read = createFrameReader();
    let sent = 0;
    const socket: RoomSocket = {
      send(bytes) {
        if (peer.closed) return;
        sent += bytes.length;
        if (!keep) return;
        const copy = bytes.slice();
        peer.raw.push(copy);
        if (document === undefined) {
          const frame = read(copy);
          peer.frames.push(frame);
          peer.items.push(...frame);
        }
      },
      close(code, reason) {
        peer.closed ??= { code, reason };
        open.delete(socket);
      },
      readAttachment: () => JSON.parse(attachment ?? "null") as SocketAttachment,
      writeAttachment(value) {
        attachment = JSON.stringify(value);
      },
    };
    const peer: Peer = {
      socket,
      raw: [],
      frames: [],
      items: [],
      closed: undefined,
      get sentBytes() {
        return sent;
      },
      credit: () => core.receive(socket, frameOf({ type: "credit", bytes: sent })),
      send: (message) => core.receive(socket, message),
      leave() {
        peer.vanish();
        core.drop(socket);
      },
      vanish: () => void open.delete(socket),
    };
    open.add(socket);
    core.accept(socket, document === undefined ? { grant } : { grant, document });
    return peer;
  }

  return {
    storage,
    clock,
    failures,
    get core() {
      return core;
    },
    get alarmAt() {
      return alarmAt;
    },
    forgetAlarm() {
      alarmAt = undefined;
    },
    elapse(ms) {
      clock.advance(ms);
      if (alarmAt === undefined || alarmAt > clock.now()) return;
      alarmAt = undefined;
      core.alarm();
    },
    connect,
    join(epoch, sequence, grant) {
      const peer = connect(undefined, grant);
      peer.send(joinFrame(epoch, sequence));
      return peer;
    },
    wake() {
      core.stop();
      core = create();
    },
    crowd() {
      clock.advance(1);
      const client = 9_000 + crowds++;
      const writer = connect();
      writer.send(joinFrame());
      const updates = pageUpdates(client, Array.from({ length: promptTurns }, String));
      const timers = clock.waiting;
      for (const update of updates) {
        if (clock.waiting === timers) writer.send(updateFrame(pageOf(client), [update]));
      }
      writer.leave();
    },
    drain(...peers) {
      for (let before = -1, now = 0; before !== now; ) {
        before = now;
        for (const peer of peers) if (!peer.closed) peer.credit();
        clock.advance(0);
        now = peers.reduce((sum, peer) => sum + peer.sentBytes, 0);
      }
    },
  };
}
