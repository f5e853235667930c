import { abortable } from "../base/index.ts";

/** Work that all who ask for the same key at once share. */
export interface Flights<T> {
  /** Joins the key's flight, or starts one; it is aborted once everyone who joined has left by their own signal. */
  join(key: string, start: (flight: Flight) => Promise<T>, signal?: AbortSignal): Promise<T>;
  /** Lets whoever comes next start anew; the present flight goes on, but is no longer current. */
  forget(key: string): void;
}

/** What a flight knows of itself. */
export interface Flight {
  readonly signal: AbortSignal;
  readonly isCurrent: () => boolean;
}

/** Creates flights by key. */
export function createFlights<T>(): Flights<T> {
  interface Shared {
    promise: Promise<T>;
    controller: AbortController;
    waiting: number;
    isDone: boolean;
  }
  const flights = new Map<string, Shared>();

  function land(key: string, shared: Shared): void {
    shared.isDone = true;
    if (flights.get(key) === shared) flights.delete(key);
  }

  function begin(key: string, start: (flight: Flight) => Promise<T>): Shared {
    const controller = new AbortController();
    const isCurrent = () => flights.get(key) === shared;
    const promise = Promise.resolve().then(() => start({ signal: controller.signal, isCurrent }));
    const shared: Shared = { promise, controller, waiting: 0, isDone: false };
    flights.set(key, shared);
    const landed = () => land(key, shared);
    promise.then(landed, landed);
    return shared;
  }

  return {
    async join(key, start, signal) {
      signal?.throwIfAborted();
      const shared = flights.get(key) ?? begin(key, start);
      shared.waiting += 1;
      try {
        return await abortable(shared.promise, signal);
      } finally {
        shared.waiting -= 1;
        if (shared.waiting === 0 && !shared.isDone) {
          land(key, shared);
          shared.controller.abort();
        }
      }
    },
    forget: (key) => void flights.delete(key),
  };
}
