/** What a room counts; `docs/deploy.md` says what each tells. */
export type CounterName =
  | "frames_in"
  | "bytes_in"
  | "frames_out"
  | "bytes_out"
  | "updates_accepted"
  | "updates_refused"
  | "rows_written"
  | "documents_dropped"
  | "joins"
  | "signals"
  | "presences"
  | "compactions"
  | "compactions_failed"
  | "closed";

/** What a room measures at a moment. */
export type GaugeName = "sockets" | "lagging_readers" | "inflight_bytes" | "rows" | "row_bytes" | "documents";

/** Told by a room what it does, never contents. Cheap to call: what it is told is gathered in memory. */
export interface RoomObserver {
  /** Adds to a counter; `code` labels refusals and closes. */
  count(name: CounterName, by?: number, code?: string): void;
  gauge(name: GaugeName, value: number): void;
  /** One line of the structured log. */
  log(level: "info" | "warn" | "error", event: string, fields?: Readonly<Record<string, unknown>>): void;
}

/** Tells nobody. */
export const silentObserver: RoomObserver = {
  count() {},
  gauge() {},
  log() {},
};
