import { z } from "zod";
import type { Clock } from "../../base/index.ts";
import type { SqlDriver } from "../storage/sql-storage.ts";
import type { MetricsTotals } from "./exposition.ts";
import {
  addHistogram,
  createTally,
  emptyHistogram,
  type MetricsReport,
  metricsReportSchema,
} from "./metrics-report.ts";
import type { GaugeName } from "./observer.ts";

/** Gauges of what is open: they count for nothing once a room has been silent for `silentAfterMs`. */
const liveGauges: readonly GaugeName[] = ["sockets", "lagging_readers", "inflight_bytes"];
/** Sockets that ended with their host, in a room that nobody opened since, would be counted for ever. */
export const silentAfterMs = 60 * 60 * 1000;

type Gauges = MetricsReport["gauges"];

/** The metrics of a relay, summed over its rooms and kept in SQLite: a counter never falls when its object sleeps. */
export interface MetricsStore {
  /** Takes in what a room, named by any id of its own, reports: counts since its last report, gauges as they are. */
  take(room: string, report: MetricsReport): void;
  totals(): MetricsTotals;
}

const schema = [
  "CREATE TABLE IF NOT EXISTS totals (id INTEGER PRIMARY KEY CHECK (id = 1), value TEXT NOT NULL)",
  `CREATE TABLE IF NOT EXISTS rooms (
    name TEXT PRIMARY KEY, at INTEGER NOT NULL, live INTEGER NOT NULL, gauges TEXT NOT NULL
  ) WITHOUT ROWID`,
  "CREATE INDEX IF NOT EXISTS live_rooms ON rooms (at) WHERE live = 1",
];

const totalsSchema = z.object({ ...metricsReportSchema.shape, rooms: z.number(), reports: z.number() });

/** Opens the store, creating its tables where they are missing. */
export function openMetricsStore(driver: SqlDriver, clock: Pick<Clock, "now">): MetricsStore {
  const { sql } = driver;
  for (const statement of schema) sql.exec(statement);

  function readTotals(): MetricsTotals {
    const [row] = sql.exec("SELECT value FROM totals WHERE id = 1");
    return row
      ? totalsSchema.parse(JSON.parse(String(row["value"])))
      : { counts: [], gauges: {}, writes: emptyHistogram(), rooms: 0, reports: 0 };
  }

  function writeTotals(totals: MetricsTotals): void {
    sql.exec("INSERT OR REPLACE INTO totals (id, value) VALUES (1, ?)", JSON.stringify(totals));
  }

  function gaugesOf(room: string): Gauges | undefined {
    const [row] = sql.exec("SELECT gauges FROM rooms WHERE name = ?", room);
    return row && (JSON.parse(String(row["gauges"])) as Gauges);
  }

  function writeRoom(room: string, at: number, gauges: Gauges): void {
    const live = liveGauges.some((name) => (gauges[name] ?? 0) > 0);
    sql.exec(
      "INSERT OR REPLACE INTO rooms (name, at, live, gauges) VALUES (?, ?, ?, ?)",
      room,
      at,
      live ? 1 : 0,
      JSON.stringify(gauges),
    );
  }

  /** Takes what is open in silent rooms out of the sums, a thousand rooms a time. */
  function forgetSilent(totals: MetricsTotals): void {
    const silent = [
      ...sql.exec(
        "SELECT name, at, gauges FROM rooms WHERE live = 1 AND at < ? LIMIT 1000",
        clock.now() - silentAfterMs,
      ),
    ];
    for (const { name, at, gauges } of silent) {
      const before = JSON.parse(String(gauges)) as Gauges;
      const after = { ...before };
      for (const gauge of liveGauges) delete after[gauge];
      replaceGauges(totals, before, after);
      writeRoom(String(name), Number(at), after);
    }
    if (silent.length > 0) writeTotals(totals);
  }

  return {
    take: (room, report) =>
      driver.transactionSync(() => {
        const totals = readTotals();
        const known = gaugesOf(room);
        const gauges = { ...known, ...report.gauges };
        replaceGauges(totals, known ?? {}, gauges);
        const tally = createTally(totals.counts);
        for (const { name, code, by } of report.counts) tally.add(name, code, by);
        addHistogram(totals.writes, report.writes);
        writeRoom(room, clock.now(), gauges);
        writeTotals({
          ...totals,
          counts: tally.entries(),
          rooms: totals.rooms + (known ? 0 : 1),
          reports: totals.reports + 1,
        });
      }),
    totals: () =>
      driver.transactionSync(() => {
        const totals = readTotals();
        forgetSilent(totals);
        return totals;
      }),
  };
}

function replaceGauges(totals: MetricsTotals, before: Gauges, after: Gauges): void {
  for (const name of Object.keys({ ...before, ...after }) as GaugeName[]) {
    totals.gauges[name] = (totals.gauges[name] ?? 0) + (after[name] ?? 0) - (before[name] ?? 0);
  }
}
