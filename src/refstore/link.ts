import { abortable, type Clock, FlockError } from "../base/index.ts";

/** What a call may take before a byte has moved ... */
const patienceMs = 30_000;
/** ... and the slowest transfer that is not given up. */
const slowestBytesPerMs = 32;

/** The way to the relay: nothing goes through it unless it is up, and nothing stays in it once it is down. */
export interface Link {
  readonly up: boolean;
  /** Begins a new connection; calls of an earlier one are cut off. */
  connect(): void;
  /** Cuts off every call in flight; they reject with `refstore/unavailable` or the given reason. */
  disconnect(reason?: FlockError): void;
  /**
   * Makes a call that moves about `sizeBytes`, within 30 s and one second for every 32 KB.
   *
   * @throws `refstore/unavailable` where the link is down, goes down, or the time is up.
   */
  run<T>(sizeBytes: number, call: (signal: AbortSignal) => Promise<T>, signal?: AbortSignal): Promise<T>;
}

/** Creates a link that is down. */
export function createLink(clock: Clock): Link {
  let connection: AbortController | undefined;

  function disconnect(
    reason = unavailable("The relay is not connected: it is tried again once it is."),
  ): void {
    connection?.abort(reason);
    connection = undefined;
  }

  return {
    get up() {
      return connection !== undefined;
    },
    connect() {
      disconnect();
      connection = new AbortController();
    },
    disconnect,
    async run(sizeBytes, call, signal) {
      if (!connection) throw unavailable("The relay is not connected: it is tried again once it is.");
      const limit = new AbortController();
      const limitMs = patienceMs + sizeBytes / slowestBytesPerMs;
      const cancel = clock.after(limitMs, () =>
        limit.abort(
          unavailable(`The relay did not finish within ${Math.ceil(limitMs)} ms: it is tried again.`),
        ),
      );
      const any = AbortSignal.any([connection.signal, limit.signal, ...(signal ? [signal] : [])]);
      try {
        return await abortable(call(any), any);
      } finally {
        cancel();
      }
    },
  };
}

function unavailable(message: string): FlockError {
  return new FlockError("refstore/unavailable", message);
}
