import { env, runInDurableObject, SELF } from "cloudflare:test";
import { describe, expect, test, vi } from "vitest";
import { createLog } from "../../src/edge/index.ts";
import { serveMetrics } from "../../src/edge/operations/metrics-access.ts";
import { sendReport } from "../../src/edge/operations/metrics-object.ts";
import { openMetricsStore, silentAfterMs } from "../../src/edge/operations/metrics-store.ts";
import { createRoomMetrics } from "../../src/edge/operations/room-metrics.ts";
import { MetricsObject } from "../../src/worker.ts";
import { codeOf } from "../edge-core/administered-room.ts";
import { pageOf, pageUpdates } from "../edge-core/documents.ts";
import { type Family, readExposition } from "../edge-core/exposition-reader.ts";
import { createManualClock } from "../edge-core/room-harness.ts";
import { updateFrame } from "../edge-core/wire.ts";
import { join } from "./relay-client.ts";

const url = "https://relay.example.com/metrics";
const token = "a-token-that-guards-the-metrics";
const guarded = { namespace: env.METRICS, token, development: false };

function ask(authorization?: string): Request {
  return new Request(url, authorization === undefined ? {} : { headers: { authorization } });
}

async function scrape(): Promise<Map<string, Family>> {
  const response = await serveMetrics(ask(`Bearer ${token}`), guarded);
  expect(response.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
  return readExposition(await response.text());
}

const firstOf = (families: Map<string, Family>, name: string) => families.get(name)?.samples[0]?.value;

describe("the relay's metrics", () => {
  test("METRICS-6: counters add up over rooms, gauges are the last of each", async () => {
    const before = await scrape();
    const one = createRoomMetrics();
    one.count("updates_accepted", 5);
    one.gauge("sockets", 10);
    one.gauge("rows", 100);
    one.wrote(4);
    await sendReport(env.METRICS, "room-one", one.take());
    const other = createRoomMetrics();
    other.count("updates_accepted", 2);
    other.count("updates_refused", 1, "gate/gap");
    other.gauge("sockets", 3);
    await sendReport(env.METRICS, "room-other", other.take());
    one.gauge("sockets", 7);
    await sendReport(env.METRICS, "room-one", one.take());
    const after = await scrape();
    const gained = (name: string) => (firstOf(after, name) ?? 0) - (firstOf(before, name) ?? 0);
    expect(gained("flockstate_updates_accepted_total")).toBe(7);
    expect(gained("flockstate_sockets")).toBe(10);
    expect(gained("flockstate_rows")).toBe(100);
    expect(gained("flockstate_rooms")).toBe(2);
    expect(gained("flockstate_reports_total")).toBe(3);
    expect(after.get("flockstate_updates_refused_total")?.samples[0]?.labels).toEqual({ code: "gate/gap" });
  });

  test("METRICS-6: no counter falls when the object sleeps", async () => {
    const room = createRoomMetrics();
    room.count("joins", 4);
    await sendReport(env.METRICS, "sleeper", room.take());
    const before = await scrape();
    await runInDurableObject(env.METRICS.getByName("relay"), (instance, state) => {
      Object.assign(instance, new MetricsObject(state));
    });
    expect([...(await scrape())]).toEqual([...before]);
  });

  test("METRICS-7: what was open in a room that fell silent is forgotten, what it stores is not", async () => {
    await runInDurableObject(env.METRICS.getByName("silence"), (_, state) => {
      const clock = createManualClock();
      const store = openMetricsStore(state.storage, clock);
      const room = createRoomMetrics();
      room.gauge("sockets", 5);
      room.gauge("rows", 9);
      store.take("room", room.take());
      clock.advance(silentAfterMs);
      expect(store.totals().gauges).toMatchObject({ sockets: 5, rows: 9 });
      clock.advance(1);
      expect(store.totals().gauges).toMatchObject({ sockets: 0, rows: 9 });
      room.gauge("sockets", 2);
      store.take("room", room.take());
      expect(store.totals()).toMatchObject({ gauges: { sockets: 2, rows: 9 }, rooms: 1 });
    });
  });

  test("METRICS-6: a report that is none changes nothing and is refused", async () => {
    const before = await scrape();
    const report = { ...createRoomMetrics().take(), counts: [{ name: "unheard of", by: 1 }] };
    await expect(sendReport(env.METRICS, "room", report as never)).rejects.toThrow();
    expect([...(await scrape())]).toEqual([...before]);
  });
});

describe("who may read them", () => {
  test.each([
    ["no header", undefined, "edge/token-required"],
    ["another scheme", `Basic ${token}`, "edge/token-required"],
    ["an empty token", "Bearer ", "edge/token-required"],
    ["another token", "Bearer another", "edge/token-invalid"],
    ["a beginning of it", `Bearer ${token.slice(0, -1)}`, "edge/token-invalid"],
    ["more than it", `Bearer ${token}x`, "edge/token-invalid"],
  ])("METRICS-8: %s", async (_, authorization, code) => {
    expect(await codeOf(serveMetrics(ask(authorization), guarded))).toBe(code);
  });

  test("METRICS-8: the token, or development mode, opens them", async () => {
    expect((await serveMetrics(ask(`Bearer ${token}`), guarded)).status).toBe(200);
    const open = { namespace: env.METRICS, token: undefined, development: true };
    expect((await serveMetrics(ask(), open)).status).toBe(200);
  });

  test("METRICS-8: without a token to compare with they are closed, without the binding there are none", async () => {
    const unset = { ...guarded, token: undefined };
    expect(await codeOf(serveMetrics(ask("Bearer undefined"), unset))).toBe("edge/not-configured");
    const unbound = { ...guarded, namespace: undefined };
    expect(await codeOf(serveMetrics(ask(`Bearer ${token}`), unbound))).toBe("edge/not-found");
  });
});

test("LOG-1: the log's lines reach the console in workerd", () => {
  const lines: string[] = [];
  const write = console.warn;
  console.warn = (line: string) => void lines.push(line);
  try {
    createLog({ clock: createManualClock(0) }).write("warn", "event", { room: "team" });
  } finally {
    console.warn = write;
  }
  expect(lines).toEqual(['{"time":"1970-01-01T00:00:00.000Z","level":"warn","event":"event","room":"team"}']);
});

test("METRICS-11: what a room does is at /metrics after its report, without anything that wakes it", async () => {
  const client = await join("reporting");
  const sum = async (name: string) => {
    const response = await SELF.fetch("http://localhost:8787/metrics");
    const { samples = [] } = readExposition(await response.text()).get(name) ?? {};
    return samples.reduce((total, { value }) => total + value, 0);
  };
  const before = await sum("flockstate_rows_written_total");
  const [update] = pageUpdates(7, ["one"]) as [Uint8Array];
  client.send(updateFrame(pageOf(7), [update]));
  await client.item("acknowledge");
  // The room's own alarm, ten seconds on.
  await vi.waitUntil(async () => (await sum("flockstate_rows_written_total")) > before, {
    interval: 250,
    timeout: 60_000,
  });
  expect(await sum("flockstate_rows_written_total")).toBe(before + 1);
  expect(await sum("flockstate_updates_accepted_total")).toBeGreaterThan(0);
  expect(await sum("flockstate_joins_total")).toBeGreaterThan(0);
  expect(await sum("flockstate_documents")).toBeGreaterThan(0);
  expect(await sum("flockstate_durable_write_seconds")).toBeGreaterThan(0);
  expect(await sum("flockstate_row_bytes")).toBeGreaterThan(0);
});
