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
  /** Breaks the open connection and refuses new ones until `heal`. */
  partition(options?: CutOptions): void;
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
  isUp: boolean;
}

type Down =
  | { kind: "open" }
  | { kind: "frame"; frame: Uint8Array }
  | { kind: "close"; code: number; reason: string };

interface Connection {
  sever(options: CutOptions): void;
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
        up.cut(random.below(up.inFlight + 1));
        down.cut(host.alive ? random.below(down.inFlight + 1) : 0);
        up.send("gone", random.between(0, relayNoticeMs));
        if (!silent) down.send({ kind: "close", code: abnormal, reason: "" }, random.between(0, noticeMs));
      },
    };
    connections.add(connection);

    timeline.after(latencyMs(), `${host.name} dials`, () => {
      if (severed || phase === "closed") return;
      peer = state.isUp
        ? relay.accept(path, protocols, {
            send(frame) {
              if (severed) return;
              timeline.note(`relay sends ${host.name} ${frame.length} ${hashBytes(frame).toString(16)}`);
              down.send({ kind: "frame", frame });
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
        up.send(frame.slice());
      },
      close() {
        if (phase === "closed") return;
        phase = "closed";
        connections.delete(connection);
        host.after(0, "socket closed", () => events.onClose(1000, ""));
        if (!severed) up.send("gone");
        severed = true;
      },
    };
  }

  return {
    get isUp() {
      return state.isUp;
    },
    openSocket,
    cut,
    partition(options) {
      state.isUp = false;
      cut(options);
    },
    heal() {
      state.isUp = true;
    },
  };
}
