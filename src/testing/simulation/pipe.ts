import type { Undo } from "../../base/index.ts";
import type { Timeline } from "./timeline.ts";

/** One direction of a connection: what goes in comes out later, in order. */
export interface Pipe<T> {
  /** Sends an item; `delayMs` is added to the latency. */
  send(item: T, delayMs?: number): void;
  /** How many items are under way. */
  readonly inFlight: number;
  /** Holds back what is under way and what is sent from now on. */
  stall(): void;
  /** Sends on what was held back. */
  resume(): void;
  /** Loses what is under way, but for the first `keep` items. */
  cut(keep: number): void;
}

export interface PipeOptions<T> {
  timeline: Timeline;
  label: string;
  latencyMs(): number;
  deliver(item: T): void;
}

interface Flight<T> {
  item: T;
  delayMs: number;
  cancel: Undo;
}

/** Creates an empty pipe. */
export function createPipe<T>({ timeline, label, latencyMs, deliver }: PipeOptions<T>): Pipe<T> {
  const flights: Flight<T>[] = [];
  let stalled = false;
  let lastArrival = 0;

  function launch(flight: Flight<T>): void {
    lastArrival = Math.max(lastArrival, timeline.now() + latencyMs() + flight.delayMs);
    flight.cancel = timeline.after(lastArrival - timeline.now(), label, () => {
      flights.shift();
      deliver(flight.item);
    });
  }

  return {
    send(item, delayMs = 0) {
      const flight: Flight<T> = { item, delayMs, cancel: () => {} };
      flights.push(flight);
      if (!stalled) launch(flight);
    },
    get inFlight() {
      return flights.length;
    },
    stall() {
      stalled = true;
      for (const { cancel } of flights) cancel();
    },
    resume() {
      if (!stalled) return;
      stalled = false;
      for (const flight of flights) launch(flight);
    },
    cut(keep) {
      for (const { cancel } of flights.splice(keep)) cancel();
    },
  };
}
