import { expect, test } from "vitest";
import { createLog } from "../../src/edge/index.ts";
import { createRoomOperations } from "../../src/edge/operations/room-operations.ts";
import { createManualClock } from "./room-harness.ts";

/** A room's operations over a metrics object that takes everything, and a storage that is durable when told so. */
function operating({ reports = true } = {}) {
  const clock = createManualClock();
  const alarms: (number | undefined)[] = [];
  const sent: {
    room: string;
    report: { counts: unknown[]; gauges: object; writes: { counts: number[] } };
  }[] = [];
  const durable: (() => void)[] = [];
  const lines: string[] = [];
  let looks = 0;
  const namespace = {
    getByName: () => ({
      async fetch(request: Request) {
        sent.push(await request.json());
        return new Response(null, { status: 204 });
      },
    }),
  };
  const operations = createRoomOperations({
    id: "id-1",
    room: () => "team",
    clock,
    log: createLog({ clock, sink: { write: (_, line) => void lines.push(line) } }),
    metrics: reports ? namespace : undefined,
    sync: () => new Promise((resolve) => durable.push(resolve)),
    size() {
      looks++;
      return { rows: looks, bytes: 10, documents: 2 };
    },
    setAlarm: (atMs) => void alarms.push(atMs),
  });
  const settle = () => new Promise((resolve) => setTimeout(resolve, 0));
  return { clock, alarms, sent, durable, lines, operations, settle };
}

test("METRICS-5: one alarm serves the core and the reports, whichever is due first", async () => {
  const { clock, alarms, sent, operations, settle } = operating();
  const start = clock.now();
  operations.setAlarm(start + 60_000);
  operations.observer.count("joins");
  operations.observer.count("joins");
  expect(alarms).toEqual([start + 60_000, start + 10_000]);
  clock.advance(10_000);
  operations.alarm();
  await settle();
  expect(sent).toMatchObject([{ room: "id-1", report: { counts: [{ name: "joins", by: 2 }] } }]);
  expect(alarms.slice(2)).toEqual([start + 60_000]);
  clock.advance(50_000);
  operations.alarm();
  operations.setAlarm(undefined);
  operations.turn();
  expect(alarms.slice(3)).toEqual([]);
});

test("METRICS-5: a room in which only messages come and go sets no alarm, nor does one without the binding", () => {
  const quiet = operating();
  quiet.operations.observer.count("frames_in");
  quiet.operations.turn();
  expect(quiet.alarms).toEqual([]);
  const unbound = operating({ reports: false });
  unbound.operations.observer.count("joins");
  unbound.clock.advance(20_000);
  unbound.operations.turn();
  expect(unbound.alarms).toEqual([]);
});

test("METRICS-9: a durable write is measured from its row to the host's word that it is durable", async () => {
  const { clock, sent, durable, operations, settle } = operating();
  operations.observer.count("rows_written");
  operations.observer.count("rows_written");
  expect(durable).toHaveLength(1);
  clock.advance(20);
  durable[0]?.();
  await settle();
  clock.advance(10_000);
  operations.turn();
  await settle();
  expect(sent[0]?.report.writes).toMatchObject({ counts: expect.arrayContaining([1]), sumSeconds: 0.02 });
  operations.observer.count("rows_written");
  expect(durable).toHaveLength(2);
});

test("METRICS-9: what is stored is looked at every five minutes at most, and after administration", async () => {
  const { clock, sent, operations, settle } = operating();
  for (let report = 0; report < 60; report++) {
    operations.observer.count("rows_written");
    clock.advance(10_000);
    operations.turn();
    await settle();
  }
  expect(sent).toHaveLength(60);
  expect(sent[0]?.report.gauges).toEqual({ rows: 1, row_bytes: 10, documents: 2 });
  expect(sent.at(-1)?.report.gauges).toMatchObject({ rows: 2 });
  operations.administered();
  clock.advance(10_000);
  operations.turn();
  await settle();
  expect(sent.at(-1)?.report.gauges).toMatchObject({ rows: 3 });
});

test("LOG-1: what a core logs says which room it is", () => {
  const { lines, operations } = operating();
  operations.observer.log("warn", "socket closed", { code: "edge/rate-limited" });
  expect(JSON.parse(lines[0] ?? "")).toMatchObject({
    room: "team",
    code: "edge/rate-limited",
    level: "warn",
  });
});

test("METRICS-5: an alarm that was left where it is due is not set again, and comes back after a report", async () => {
  const { clock, alarms, sent, operations, settle } = operating();
  const far = clock.now() + 90 * 86_400_000;
  operations.foundAlarm(far);
  operations.setAlarm(far);
  expect(alarms).toEqual([]);
  operations.observer.count("joins");
  clock.advance(10_000);
  operations.turn();
  await settle();
  expect([sent.length, alarms.at(-1)]).toEqual([1, far]);
});
