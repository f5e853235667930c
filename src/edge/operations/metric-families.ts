import type { CounterName, GaugeName } from "./observer.ts";

/** A metric as Prometheus is told of it. */
export interface MetricFamily {
  readonly metric: string;
  readonly help: string;
}

/** A counter's family, and what tells it from others of the family. */
export interface CounterFamily extends MetricFamily {
  readonly labels?: Readonly<Record<string, string>>;
  /** Whether its counts are told apart by a code, as label `code`. */
  readonly coded?: boolean;
}

const frames = { metric: "flockstate_frames_total", help: "Messages of sockets." };
const bytes = { metric: "flockstate_frame_bytes_total", help: "Bytes of the messages of sockets." };
const received = { labels: { direction: "in" } };
const sent = { labels: { direction: "out" } };

/** What each counter is called outside. */
export const counterFamilies: Readonly<Record<CounterName, CounterFamily>> = {
  frames_in: { ...frames, ...received },
  frames_out: { ...frames, ...sent },
  bytes_in: { ...bytes, ...received },
  bytes_out: { ...bytes, ...sent },
  updates_accepted: { metric: "flockstate_updates_accepted_total", help: "Updates that were accepted." },
  updates_refused: {
    metric: "flockstate_updates_refused_total",
    help: "Updates that were refused, by code.",
    coded: true,
  },
  rows_written: { metric: "flockstate_rows_written_total", help: "Rows of updates that were written." },
  documents_dropped: {
    metric: "flockstate_documents_dropped_total",
    help: "Pages and registers that were dropped, by who may write them or past retention.",
  },
  joins: { metric: "flockstate_joins_total", help: "Joins that were answered." },
  signals: { metric: "flockstate_signals_total", help: "Signals that were passed on." },
  presences: { metric: "flockstate_presences_total", help: "Changes of presence." },
  compactions: { metric: "flockstate_compactions_total", help: "Documents whose rows became a snapshot." },
  compactions_failed: {
    metric: "flockstate_compactions_failed_total",
    help: "Documents whose compaction failed; service goes on from the rows.",
  },
  closed: {
    metric: "flockstate_sockets_closed_total",
    help: "Sockets that the relay closed, by code.",
    coded: true,
  },
};

/** What each gauge is called outside; its value is the sum over all rooms. */
export const gaugeFamilies: Readonly<Record<GaugeName, MetricFamily>> = {
  sockets: { metric: "flockstate_sockets", help: "Open sockets." },
  lagging_readers: {
    metric: "flockstate_lagging_readers",
    help: "Sockets that are being replayed from rows instead of told live.",
  },
  inflight_bytes: {
    metric: "flockstate_inflight_bytes",
    help: "Bytes sent to sockets that their clients have not credited.",
  },
  rows: { metric: "flockstate_rows", help: "Rows of updates in storage." },
  row_bytes: { metric: "flockstate_row_bytes", help: "Bytes of the rows in storage." },
  documents: { metric: "flockstate_documents", help: "Documents in storage." },
};

/** The metrics that belong to no room. */
export const relayFamilies = {
  rooms: { metric: "flockstate_rooms", help: "Rooms whose gauges are in the sums." },
  reports: { metric: "flockstate_reports_total", help: "Reports of rooms that were taken in." },
  build: { metric: "flockstate_build_info", help: "1, with the relay's version as a label." },
  writes: {
    metric: "flockstate_durable_write_seconds",
    help: "Time from a commit until the host confirmed it as durable.",
  },
} as const satisfies Record<string, MetricFamily>;

/** Upper bounds of the histogram of durable writes, in seconds; one more bucket takes the rest. */
export const writeBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5] as const;
