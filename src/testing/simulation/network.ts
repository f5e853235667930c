import type { OpenSocket, SocketEvents } from "../../crdt/index.ts";
import type { Host } from "./host.ts";
import { createPipe } from "./pipe.ts";
import { hashBytes, type SimulatedRandom } from "./random.ts";
import type { RelayPeer, RelayProcess } from "./relay.ts";
import type { Timeline } from "./timeline.ts";

/** How a connection is cut. */
export interface CutOptions {
  /** The replica is not told, and finds out by its own watch: as behind a router that lost its table. Default false. */
  silent?: boolean;
}

/** How a replica is kept off the network. */
export interface PartitionOptions extends CutOptions {
  /**
   * Which frames get lost: `up`, what it sends; `down`, what it is sent. Then the open connection stays, what goes that way
   * waits for the heal or is lost with the connection, and no other can be opened. Default `both`.
   */
  way?: "both" | "up" | "down";
}

/**
 * A replica's line to the relay. Sockets are reliable and ordered while they last, so what can be lost is the end:
 * of what is in flight at a cut, some frames still arrive and the rest never do, on each side for itself. So the
 * relay may have stored an update whose acknowledgement is lost.
 */
export interface Line {
  readonly isUp: boolean;
  readonly openSocket: OpenSocket;
  /** Breaks the open connection; the next one works. */
  cut(options?: CutOptions): void;
  /** Breaks the open connection, or one direction of it, and refuses new ones until `heal`. */
  partition(options?: PartitionOptions): void;
  heal(): void;
}

export interface LineOptions {
  timeline: Timeline;
  random: SimulatedRandom;
  relay: RelayProcess;
  /** The process at the near end. */
  host: Host;
  /** Draws the latency of one frame, one way, in milliseconds. */
  latencyMs(): number;
}

/** Who is cut off; one for all processes of a replica, since a restart mends no cable. */
export interface LineState {
  blocked: "none" | "both" | "up" | "down";
}

type Down =
  | { kind: "open" }
  | { kind: "frame"; frame: Uint8Array }
  | { kind: "close"; code: number; reason: string };

interface Connection {
  sever(options: CutOptions): void;
  /** Lets the line's state hold back what goes one way. */
  follow(): void;
}

const abnormal = 1006;
/** A replica notices a cut within this time, unless it is silent ... */
const noticeMs = 300;
/** ... and the relay, which waits for its keep-alive, within this. */
const relayNoticeMs = 20_000;

/** Creates the line of one process. */
export function createLine(
  { timeline, random, relay, host, latencyMs }: LineOptions,
  state: LineState,
): Line {
  const connections = new Set<Connection>();

  function cut({ silent = false }: CutOptions = {}): void {
    for (const connection of [...connections]) connection.sever({ silent });
  }

  host.onKill(() => cut());

  const openSocket: OpenSocket = (url, protocols, events) => {
    const { pathname } = new URL(url);
    return connect(pathname, protocols, events);
  };

  function connect(path: string, protocols: readonly string[], events: SocketEvents) {
    let phase: "opening" | "open" | "closed" = "opening";
    let severed = false;
    let peer: RelayPeer | undefined;

    function finish(code: number, reason: string): void {
      connections.delete(connection);
      if (phase === "closed" || !host.alive) return;
      phase = "closed";
      events.onClose(code, reason);
    }

    const up = createPipe<Uint8Array | "gone">({
      timeline,
      label: `${host.name} to relay`,
      latencyMs,
      deliver: (item) => (item === "gone" ? peer?.drop() : peer?.receive(item)),
    });
    const down = createPipe<Down>({
      timeline,
      label: `relay to ${host.name}`,
      latencyMs,
      deliver(item) {
        if (phase === "closed" || !host.alive) return;
        if (item.kind === "close") finish(item.code, item.reason);
        else if (item.kind === "frame") events.onFrame(item.frame);
        else {
          phase = "open";
          events.onOpen();
        }
      },
    });

    const connection: Connection = {
      sever({ silent = false }) {
        if (severed) return;
        severed = true;
        connections.delete(connection);
        up.cut(state.blocked === "up" ? 0 : random.below(up.inFlight + 1));
        down.cut(host.alive ? random.below(down.inFlight + 1) : 0);
        // Either end finds out by its own watch, whatever cannot get through.
        up.resume();
        up.send("gone", random.between(0, relayNoticeMs));
        if (!silent) down.send({ kind: "close", code: abnormal, reason: "" }, random.between(0, noticeMs));
      },
      follow() {
        for (const [way, pipe] of [
          ["up", up],
          ["down", down],
        ] as const) {
          if (state.blocked === way) pipe.stall();
          else pipe.resume();
        }
      },
    };
    connections.add(connection);

    timeline.after(latencyMs(), `${host.name} dials`, () => {
      if (severed || phase === "closed") return;
      peer =
        state.blocked === "none"
          ? relay.accept(path, protocols, {
              send(frame) {
                if (severed) return;
                timeline.note(`relay sends ${host.name} ${frame.length} ${hashBytes(frame).toString(16)}`);
                down.send({ kind: "frame", frame }, relay.faults.slowMs);
              },
              close(code, reason) {
                if (!severed) down.send({ kind: "close", code, reason });
              },
              lost() {
                if (severed) return;
                severed = true;
                up.cut(0);
                down.cut(random.below(down.inFlight + 1));
                down.send({ kind: "close", code: abnormal, reason: "" }, random.between(0, noticeMs));
              },
            })
          : undefined;
      down.send(peer ? { kind: "open" } : { kind: "close", code: abnormal, reason: "" });
    });

    return {
      send(frame: Uint8Array) {
        if (phase !== "open" || severed || !host.alive) return;
        timeline.note(`${host.name} sends ${frame.length} ${hashBytes(frame).toString(16)}`);
        up.send(frame.slice(), relay.faults.slowMs);
      },
      close() {
        if (phase === "closed") return;
        phase = "closed";
        connections.delete(connection);
        host.after(0, "socket closed", () => events.onClose(1000, ""));
        if (severed) return;
        severed = true;
        if (state.blocked === "none") return up.send("gone");
        up.cut(0);
        up.resume();
        up.send("gone", random.between(0, relayNoticeMs));
      },
    };
  }

  return {
    get isUp() {
      return state.blocked === "none";
    },
    openSocket,
    cut,
    partition({ way = "both", ...options } = {}) {
      timeline.note(`${host.name}: partition ${way}`);
      state.blocked = way;
      if (way === "both") cut(options);
      else for (const connection of connections) connection.follow();
    },
    heal() {
      if (state.blocked === "none") return;
      timeline.note(`${host.name}: heals`);
      state.blocked = "none";
      for (const connection of connections) connection.follow();
    },
  };
}
