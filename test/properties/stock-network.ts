import {
  createInMemoryStorage,
  createRoomCore,
  defaultRoomLimits,
  type Grant,
  type RoomCore,
  type RoomLimits,
  type RoomSocket,
  type SocketAttachment,
} from "../../src/edge/index.ts";
import { createLedger } from "../../src/edge/room/ledger/ledger.ts";
import { createManualClock } from "../edge-core/room-harness.ts";
import type { Random } from "../protocol/gate/random.ts";

/** A client's end of a connection. */
export interface ClientEnd {
  onOpen(): void;
  onMessage(bytes: Uint8Array): void;
  onClose(code: number, reason: string): void;
}

/** One connection; what either side sends waits until the network delivers it. */
export interface Connection {
  readonly open: boolean;
  send(bytes: Uint8Array): void;
  /** The client closes: what it sent before still arrives. */
  close(): void;
  /** The network breaks: of what was under way only a first part arrives. */
  cut(): void;
}

/** The room's real core, and the network between it and its clients, moved by hand. */
export interface StockNetwork {
  /** The relay's time, in milliseconds. */
  now(): number;
  /** Time passes at the relay, its alarm included. */
  advance(ms: number): void;
  /** Messages that reached the relay. */
  readonly messages: number;
  /** Closes by the relay; honest clients cause none. */
  readonly closes: readonly { principal: string; code: number; reason: string }[];
  /** Connects with a grant; with a document as a stock client. */
  connect(opening: { grant: Grant; document?: string }, client: ClientEnd): Connection;
  /** Delivers one message or event of a connection that is drawn; false where nothing is under way. */
  step(): boolean;
  /** Delivers everything, with all that follows from it. */
  settle(): void;
  /** The relay sleeps and wakes with its sockets open, where the platform would let it; meanwhile it may compact. */
  sleep(options?: { compact?: boolean }): void;
  /** Rows that were replaced by a snapshot. */
  readonly compacted: number;
  /** The relay's process dies: connections break, storage stays. */
  crash(): void;
  /** What an administrator does with the room. */
  readonly administration: RoomCore["administration"];
}

/** A message to a client that a faulty network changes, or with `undefined` loses. */
export type Tamper = (bytes: Uint8Array, toStock: boolean) => Uint8Array | undefined;

/** No honest room needs as many messages to settle. */
const restlessAfter = 20_000;

export interface StockNetworkOptions {
  tamper?: Tamper | undefined;
  limits?: RoomLimits;
}

interface Wire extends Connection {
  open: boolean;
  /** Steps towards the relay and towards the client, each in its order. */
  readonly ways: [toRelay: (() => void)[], toClient: (() => void)[]];
  breakNow(code: number): void;
}

/** Creates a network with a room that nobody has written. */
export function createStockNetwork(
  random: Random,
  { tamper = (bytes) => bytes, limits = defaultRoomLimits }: StockNetworkOptions = {},
): StockNetwork {
  const storage = createInMemoryStorage();
  const clock = createManualClock();
  const sockets = new Map<RoomSocket, Wire>();
  const wires = new Set<Wire>();
  const closes: { principal: string; code: number; reason: string }[] = [];
  let messages = 0;
  let compacted = 0;
  let alarmAt: number | undefined;
  let core = boot();

  function boot(): RoomCore {
    return createRoomCore({
      storage,
      clock,
      limits,
      sockets: [...sockets.keys()],
      random: (length) => new Uint8Array(length).map(() => random.below(256)),
      setAlarm(atMs) {
        alarmAt = atMs;
      },
      fail(cause) {
        throw cause;
      },
    });
  }

  function connect(opening: { grant: Grant; document?: string }, client: ClientEnd): Connection {
    let attachment = "null";
    const ways: Wire["ways"] = [[], []];
    const socket: RoomSocket = {
      send(bytes) {
        const sent = tamper(bytes.slice(), opening.document !== undefined);
        if (wire.open && sockets.has(socket) && sent) ways[1].push(() => client.onMessage(sent));
      },
      close(code, reason) {
        closes.push({ principal: opening.grant.principal, code, reason });
        sockets.delete(socket);
        ways[1].push(() => end(code, reason));
      },
      readAttachment: () => JSON.parse(attachment) as SocketAttachment,
      writeAttachment(value) {
        attachment = JSON.stringify(value);
      },
    };

    function end(code: number, reason: string): void {
      if (!wire.open) return;
      wire.open = false;
      wires.delete(wire);
      client.onClose(code, reason);
    }

    function drop(): void {
      if (sockets.delete(socket)) core.drop(socket);
      wires.delete(wire);
    }

    const wire: Wire = {
      open: true,
      ways,
      send(bytes) {
        const copy = bytes.slice();
        if (!wire.open) return;
        ways[0].push(() => {
          if (!sockets.has(socket)) return;
          messages++;
          core.receive(socket, copy);
        });
      },
      close() {
        if (!wire.open) return;
        wire.open = false;
        ways[0].push(drop);
        ways[1].length = 0;
      },
      cut() {
        for (const way of ways)
          for (let left = random.below(way.length + 1); left > 0; left--) way.shift()?.();
        wire.breakNow(1006);
      },
      breakNow(code) {
        drop();
        end(code, "");
      },
    };
    wires.add(wire);
    ways[0].push(() => {
      if (!wire.open) return;
      sockets.set(socket, wire);
      core.accept(socket, opening);
      ways[1].unshift(() => client.onOpen());
    });
    return wire;
  }

  function advance(ms: number): void {
    const end = clock.now() + ms;
    while (alarmAt !== undefined && alarmAt <= end) {
      clock.advance(Math.max(0, alarmAt - clock.now()));
      alarmAt = undefined;
      core.alarm();
    }
    clock.advance(end - clock.now());
  }

  /** Replaces the rows of every document by a snapshot, whether they are many or few. */
  function compact(): void {
    const before = storage.size().rows;
    const ledger = createLedger(storage);
    for (let id = storage.lastDocument(); id > 0; id--) {
      const outcome = ledger.compact(id)?.outcome;
      if (outcome === "failed")
        throw new Error(`The document ${id} of an honest room could not be compacted.`);
    }
    compacted += before - storage.size().rows;
  }

  function step(): boolean {
    const busy = [...wires].flatMap(({ ways }) => ways).filter((way) => way.length > 0);
    if (busy.length === 0) return false;
    random.pick(busy).shift()?.();
    return true;
  }

  return {
    now: () => clock.now(),
    advance,
    closes,
    get compacted() {
      return compacted;
    },
    get messages() {
      return messages;
    },
    connect,
    step,
    settle() {
      let left = restlessAfter;
      do {
        while (step()) if (--left < 0) throw new RangeError("The room does not come to rest.");
        advance(100);
      } while (step());
    },
    sleep({ compact: isCompacting = false } = {}) {
      if (clock.waiting > 0) return;
      core.stop();
      if (isCompacting) compact();
      core = boot();
    },
    get administration() {
      return core.administration;
    },
    crash() {
      core.stop();
      const broken = [...wires];
      sockets.clear();
      core = boot();
      for (const wire of broken) wire.breakNow(1006);
    },
  };
}
