import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  agingMs,
  createSchedule,
  type Job,
  type Schedule,
  type ScheduleOptions,
} from "../../src/messaging/consumer/schedule.ts";

interface TestJob extends Job {
  readonly lane: { jobs: number; name: string };
  dueAt: number;
}

type Make = (options: ScheduleOptions) => Schedule<TestJob>;

function createJob(id: string, lane: TestJob["lane"], priority = 4, clock = 0): TestJob {
  return { id, lane, priority, clock, slot: undefined, dueAt: 0 };
}

const laneOf = (name = "lane") => ({ jobs: 0, name });

/** What happens to a schedule, one after the other. */
type Step =
  | { does: "offer"; lane: number; priority: number; delayMs: number }
  | { does: "take" }
  | { does: "finish"; which: number }
  | { does: "defer"; which: number; delayMs: number }
  | { does: "wait"; ms: number };

const pick = fc.nat({ max: 9 });
const delays = fc.oneof(fc.constant(0), fc.integer({ min: -5_000, max: 40_000 }));
const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    fc.record({
      does: fc.constant("offer" as const),
      lane: fc.nat({ max: 3 }),
      priority: pick,
      delayMs: delays,
    }),
    fc.record({ does: fc.constant("take" as const) }),
    fc.record({ does: fc.constant("take" as const) }),
    fc.record({ does: fc.constant("finish" as const), which: pick }),
    fc.record({ does: fc.constant("defer" as const), which: pick, delayMs: delays }),
    fc.record({ does: fc.constant("wait" as const), ms: fc.nat({ max: 20_000 }) }),
  ),
  { maxLength: 120 },
);

/** Follows a schedule with a plain list, and throws where it breaks a rule. */
function follow(make: Make, options: ScheduleOptions, script: readonly Step[]): void {
  const schedule = make(options);
  const lanes = Array.from({ length: 4 }, (_, index) => laneOf(`${index}`));
  const waiting: TestJob[] = [];
  const inHand: TestJob[] = [];
  let now = 100_000;
  let made = 0;

  const urgency = (job: TestJob): number => job.priority + (now - job.dueAt) / agingMs;
  const isBefore = (a: TestJob, b: TestJob): boolean =>
    Math.abs(urgency(a) - urgency(b)) > 1e-9
      ? urgency(a) > urgency(b)
      : a.clock === b.clock
        ? a.id < b.id
        : a.clock < b.clock;
  const forget = (list: TestJob[], job: TestJob) => list.splice(list.indexOf(job), 1);

  for (const step of script) {
    if (step.does === "wait") now += step.ms;
    else if (step.does === "offer") {
      const lane = lanes[step.lane] as TestJob["lane"];
      const held = [...waiting, ...inHand].filter((job) => job.lane === lane).length;
      const room = options.order === "lane" ? held === 0 : held < options.maxWaiting;
      expect(schedule.hasRoom(lane)).toBe(room);
      if (!room) continue;
      const job = createJob(`${made++}`.padStart(4, "0"), lane, step.priority, step.priority % 3);
      job.dueAt = now + step.delayMs;
      schedule.add(job, job.dueAt);
      waiting.push(job);
    } else if (step.does === "take") {
      const [first] = waiting.filter(({ dueAt }) => dueAt <= now).sort((a, b) => (isBefore(a, b) ? -1 : 1));
      const expected = inHand.length < options.maxInFlight ? first : undefined;
      expect(schedule.take(now)?.id).toBe(expected?.id);
      const later = waiting.filter(({ dueAt }) => dueAt > now).map(({ dueAt }) => dueAt);
      expect(schedule.dueNext()).toBe(later.length > 0 ? Math.min(...later) : undefined);
      if (!expected) continue;
      forget(waiting, expected);
      inHand.push(expected);
    } else {
      const all = [...inHand, ...waiting];
      const job = all[step.which % Math.max(1, all.length)];
      if (!job) continue;
      forget(inHand.includes(job) ? inHand : waiting, job);
      if (step.does === "finish") schedule.finish(job);
      else {
        job.dueAt = now + step.delayMs;
        schedule.defer(job, job.dueAt);
        waiting.push(job);
      }
    }
    expect(schedule.busy).toBe(inHand.length);
  }
}

const options = fc.record({
  order: fc.constantFrom("lane" as const, "none" as const),
  maxInFlight: fc.integer({ min: 1, max: 4 }),
  maxWaiting: fc.constant(6),
});

describe("the schedule", () => {
  it("MSG-54: gives a free hand to the most urgent of what is due, and never more than there are hands", () => {
    fc.assert(
      fc.property(options, steps, (given, script) => follow(createSchedule<TestJob>, given, script)),
      { numRuns: 500 },
    );
  });

  it.each<[string, (schedule: Schedule<TestJob>, given: ScheduleOptions) => Partial<Schedule<TestJob>>]>([
    ["has one hand more", (_, given) => createSchedule({ ...given, maxInFlight: given.maxInFlight + 1 })],
    ["forgets to wait", (schedule) => ({ defer: (job) => schedule.defer(job, 0) })],
    ["does not age", (schedule) => ({ add: (job) => schedule.add(job, 100_000) })],
    ["keeps what is finished", (schedule) => ({ finish: (job) => schedule.defer(job, 0) })],
    ["has two of a lane", (schedule) => ({ hasRoom: ({ jobs }) => jobs < 2 || schedule.busy === 0 })],
  ])("MSG-54: control: one that %s breaks the rule", (_, breaks) => {
    const broken: Make = (given) => {
      const schedule = createSchedule<TestJob>(given);
      return Object.create(schedule, Object.getOwnPropertyDescriptors(breaks(schedule, given)));
    };
    const { failed } = fc.check(
      fc.property(options, steps, (given, script) => follow(broken, given, script)),
      { numRuns: 10_000 },
    );
    expect(failed).toBe(true);
  });
});

describe("places that jobs have left", () => {
  it("MSG-159: are cleared away, and what waits keeps its order", () => {
    const schedule = createSchedule<TestJob>({ order: "none", maxInFlight: 1_000, maxWaiting: 1_000 });
    const lane = laneOf();
    let asked = 0;
    const jobs = Array.from({ length: 200 }, (_, index) => {
      const job = createJob(`${index}`.padStart(3, "0"), lane, 4, index);
      let slot: object | undefined;
      return Object.defineProperty(job, "slot", {
        get: () => {
          asked++;
          return slot;
        },
        set(value: object | undefined) {
          slot = value;
        },
      });
    });
    for (const job of jobs) schedule.add(job, 1);
    for (let times = 0; times < 50; times++) {
      for (const job of jobs) schedule.defer(job, 1_000_000 - times * 1_000 - Number(job.id));
    }
    asked = 0;
    const taken: string[] = [];
    for (let job = schedule.take(1_000_000); job; job = schedule.take(1_000_000)) taken.push(job.id);
    expect(taken).toEqual(jobs.map(({ id }) => id).reverse());
    // Without it each of the 10,000 places is looked at.
    expect(asked).toBeLessThan(3_000);
  });
});

/** The wait of one job of the lowest priority, while there are always some of the highest. */
function longestWait(make: (aged: boolean) => Schedule<TestJob>, aged: boolean): number {
  const schedule = make(aged);
  const urgent = laneOf("urgent");
  const low = createJob("low", laneOf("low"), 0);
  let now = 0;
  schedule.add(low, now);
  for (let index = 0; index < 400; index++, now += 500) {
    schedule.add(createJob(`${index}`, urgent, 9, index), aged ? now : 0);
    const job = schedule.take(now) as TestJob;
    if (job === low) return now;
    schedule.finish(job);
  }
  return Number.POSITIVE_INFINITY;
}

describe("aging", () => {
  const make = (): Schedule<TestJob> =>
    createSchedule<TestJob>({ order: "none", maxInFlight: 1, maxWaiting: 1_000 });

  it("MSG-55: nothing starves: the lowest priority outranks the highest after 90 seconds", () => {
    expect(longestWait(make, true)).toBeGreaterThanOrEqual(90_000);
    expect(longestWait(make, true)).toBeLessThanOrEqual(91_000);
  });

  it("MSG-55: control: without it the lowest waits for ever", () => {
    expect(longestWait(make, false)).toBe(Number.POSITIVE_INFINITY);
  });
});
