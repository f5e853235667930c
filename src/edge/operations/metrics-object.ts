import { z } from "zod";
import { systemClock } from "../../base/index.ts";
import type { SqlDriver } from "../storage/sql-storage.ts";
import { relayVersion } from "../version.ts";
import { expositionType, formatMetrics } from "./exposition.ts";
import { type MetricsReport, metricsReportSchema } from "./metrics-report.ts";
import { type MetricsStore, openMetricsStore } from "./metrics-store.ts";

/** A namespace of `MetricsObject`, as the binding `METRICS` is. */
export interface MetricsNamespace {
  getByName(name: string): { fetch(request: Request): Promise<Response> };
}

/** All rooms report to the object of this name. */
const objectName = "relay";
/** Objects are reached by a binding alone; a request wants a URL all the same. */
const objectUrl = "https://metrics.invalid/";

const reportSchema = z.object({ room: z.string().min(1).max(128), report: metricsReportSchema });

/** The metrics of the whole relay as a Durable Object with SQLite: rooms report to it, since none can ask them all. */
export class MetricsObject {
  private readonly store: MetricsStore;

  constructor(context: { readonly storage: SqlDriver }) {
    this.store = openMetricsStore(context.storage, systemClock);
  }

  /** Takes in a report, or answers with the totals in the text format of Prometheus. */
  async fetch(request: Request): Promise<Response> {
    if (request.method !== "POST") {
      return new Response(formatMetrics(this.store.totals(), relayVersion), {
        headers: { "content-type": expositionType, "cache-control": "no-store" },
      });
    }
    const parsed = reportSchema.safeParse(await request.json());
    if (!parsed.success) return new Response(null, { status: 400 });
    this.store.take(parsed.data.room, parsed.data.report);
    return new Response(null, { status: 204 });
  }
}

/** Hands the report of a room, named by any id of its own, to the object; rejects where it was not taken in. */
export async function sendReport(
  namespace: MetricsNamespace,
  room: string,
  report: MetricsReport,
): Promise<void> {
  const body = JSON.stringify({ room, report });
  const response = await namespace
    .getByName(objectName)
    .fetch(new Request(objectUrl, { method: "POST", body }));
  if (!response.ok) throw new Error(`The report was answered with ${response.status}.`);
}

/** Asks the object for the totals. */
export function fetchMetrics(namespace: MetricsNamespace): Promise<Response> {
  return namespace.getByName(objectName).fetch(new Request(objectUrl));
}
