import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Entry, Pen } from "../../../src/crdt/index.ts";
import {
  createProgressReporter,
  type ProgressReport,
  readProgress,
} from "../../../src/messaging/requests/progress.ts";
import { createResponder } from "../../../src/messaging/requests/responder.ts";
import { isJson } from "../../../src/protocol/index.ts";
import { createManualClock } from "../../refstore/manual-clock.ts";

const asked = "ann.planner.x7/0-7/3";

/** A reporter whose words are listed with the moment at which they came. */
function setUp() {
  const clock = createManualClock(0);
  const told: { at: number; report: ProgressReport }[] = [];
  const reporter = createProgressReporter(clock, (report) => told.push({ at: clock.now(), report }));
  return { clock, told, reporter };
}

describe("reporting progress", () => {
  it("SIG-9: the first report is told at once, then the newest of each quarter of a second", () => {
    const { clock, told, reporter } = setUp();
    for (const done of [0.1, 0.2, 0.3]) reporter.report({ done });
    expect(told).toEqual([{ at: 0, report: { done: 0.1 } }]);
    clock.advance(249);
    reporter.report({ done: 0.4 });
    clock.advance(1);
    expect(told.slice(1)).toEqual([{ at: 250, report: { done: 0.4 } }]);
    clock.advance(10_000);
    reporter.report({ note: "late" });
    expect(told.at(-1)).toEqual({ at: 10_250, report: { note: "late" } });
    expect(clock.delays()).toEqual([250]);
    clock.advance(250);
    expect(clock.delays()).toEqual([]);
  });

  it("SIG-9: whenever reports come, they are told in order, at most four a second, and the last of all is", () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat({ max: 400 }), { minLength: 1, maxLength: 40 }),
        fc.boolean(),
        (pauses, isClosed) => {
          const { clock, told, reporter } = setUp();
          pauses.forEach((ms, index) => {
            clock.advance(ms);
            reporter.report({ note: `${index}` });
          });
          if (isClosed) reporter.close();
          else clock.advance(250);
          const notes = told.map(({ report }) => Number(report.note));
          expect(notes.at(-1)).toBe(pauses.length - 1);
          expect(notes).toEqual([...notes].sort((a, b) => a - b));
          expect(new Set(notes).size).toBe(notes.length);
          // What closing brings forward does not wait.
          const paced = isClosed ? told.slice(0, -1) : told;
          for (const [index, { at }] of paced.entries()) {
            expect(at - (paced[index - 1]?.at ?? Number.NEGATIVE_INFINITY)).toBeGreaterThanOrEqual(250);
          }
          if (!isClosed) return;
          reporter.report({ note: "too late" });
          clock.advance(1_000);
          expect(told).toHaveLength(notes.length);
          expect(clock.delays()).toEqual([]);
        },
      ),
    );
  });

  it.each<[string, ProgressReport]>([
    ["done", { done: 1.1 }],
    ["done", { done: Number.NaN }],
    ["note", { note: "x".repeat(1_001) }],
    ["data", { data: new Date(0) as never }],
    ["data", { data: { deep: () => 1 } as never }],
  ])("SIG-10: a report that is wrong at %s is refused, and nothing of it is told", (path, report) => {
    const { clock, told, reporter } = setUp();
    expect(() => reporter.report(report)).toThrow(
      expect.objectContaining({ code: "messaging/invalid-message", details: { path } }),
    );
    clock.advance(1_000);
    expect(told).toEqual([]);
  });

  it("SIG-10: a report says what it said when it was made, and of what it leaves out nothing", () => {
    const { clock, told, reporter } = setUp();
    const data = { step: 1 };
    reporter.report({ done: 0.1 });
    reporter.report({ data, note: undefined } as never);
    data.step = 2;
    clock.advance(250);
    expect(told[1]?.report).toEqual({ data: { step: 1 } });
    expect(told.every(({ report }) => isJson(report))).toBe(true);
  });
});

describe("progress in lanes", () => {
  /** An agent's responder; what it appends is listed. */
  function setUpResponder() {
    const clock = createManualClock(0);
    const appended: { kind: string; parents: readonly string[]; body: unknown }[] = [];
    const writer = { append: (record: (typeof appended)[number]) => appended.push(record) } as unknown as Pen;
    const send = async () => expect.unreachable("nothing is answered here");
    return { clock, appended, responder: createResponder({ writer, clock, send }) };
  }

  it("SIG-9: it is an entry that rests on its message; each message has its own pace", () => {
    const { appended, responder } = setUpResponder();
    const other = "ann.planner.x7/0-7/4";
    for (const id of [asked, other]) responder.progress({ id }, { done: 0.5 });
    responder.progress({ id: asked }, { done: 0.7 });
    expect(appended).toEqual(
      [asked, other].map((of) => ({ kind: "progress", parents: [of], body: { of, done: 0.5 } })),
    );
    responder.settled({ id: asked });
    expect(appended.at(-1)?.body).toEqual({ of: asked, done: 0.7 });
    responder.close();
  });

  it("SIG-10: what is no progress in a lane says nothing, and who said it is the lane's agent", () => {
    const entry = (body: unknown, kind = "progress") =>
      ({ id: "ben.critic.y8/0-9/0", writer: "ben.critic.y8", kind, body, clock: 1_024_000 }) as Entry;
    expect(readProgress(entry({ of: asked, done: 0.5, from: "forged" }))).toEqual({
      done: 0.5,
      from: "ben.critic",
      at: 1_000,
    });
    for (const body of [null, 7, {}, { of: "planner" }, { of: asked, done: 2 }, { of: asked, note: 1 }]) {
      expect(readProgress(entry(body))).toBeUndefined();
    }
    expect(readProgress(entry({ of: asked }, "note"))).toBeUndefined();
  });
});
