import type { Undo } from "../../base/index.ts";
import type { Timeline } from "./timeline.ts";

/** One direction of a connection: what goes in comes out later, in order. */
export interface Pipe<T> {
  /** Sends an item; `delayMs` is added to the latency. */
  send(item: T, delayMs?: number): void;
  /** How many items are under way. */
  readonly inFlight: number;
  /** Loses what is under way, but for the first `keep` items. */
  cut(keep: number): void;
}

export interface PipeOptions<T> {
  timeline: Timeline;
  label: string;
  latencyMs(): number;
  deliver(item: T): void;
}

/** Creates an empty pipe. */
export function createPipe<T>({ timeline, label, latencyMs, deliver }: PipeOptions<T>): Pipe<T> {
  const flights: Undo[] = [];
  let lastArrival = 0;
  return {
    send(item, delayMs = 0) {
      lastArrival = Math.max(lastArrival, timeline.now() + latencyMs() + delayMs);
      flights.push(
        timeline.after(lastArrival - timeline.now(), label, () => {
          flights.shift();
          deliver(item);
        }),
      );
    },
    get inFlight() {
      return flights.length;
    },
    cut(keep) {
      for (const cancel of flights.splice(keep)) cancel();
    },
  };
}
