import type { Clock } from "../../src/base/index.ts";
import {
  createInMemoryStorage,
  createRoomCore,
  developmentGrant,
  type Grant,
  type RoomCore,
  type RoomSocket,
  type RoomStorage,
  type SocketAttachment,
} from "../../src/edge/index.ts";
import { parseScopes } from "../../src/protocol/index.ts";
import { createFrameReader, type Item, joinFrame } from "./wire.ts";

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
  closed: { code: number; reason: string } | undefined;
  send(message: Uint8Array | string): void;
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
  /** Opens a room socket, or that of a stock client. */
  connect(document?: string, grant?: Grant): Peer;
  /** Opens a room socket and joins. */
  join(epoch?: string, sequence?: number, grant?: Grant): Peer;
  /** Drops the core and creates another over the same storage and open sockets, as waking does. */
  wake(): void;
}

export function createHarness(storage: RoomStorage = createInMemoryStorage()): Harness {
  const clock = createManualClock();
  const failures: unknown[] = [];
  const open = new Set<RoomSocket>();
  let core = create();

  function create(): RoomCore {
    return createRoomCore({
      storage,
      clock,
      sockets: [...open],
      random: (length) => new Uint8Array(length).map((_, index) => index + failures.length),
      fail: (cause) => failures.push(cause),
    });
  }

  function connect(document?: string, grant: Grant = developmentGrant): Peer {
    let attachment: string | undefined;
    const read = createFrameReader();
    const socket: RoomSocket = {
      send(bytes) {
        if (peer.closed) return;
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
  };
}
