import fc from "fast-check";
import { expect, it, vi } from "vitest";
import {
  createHybridClock,
  maxClockDriftMs,
  systemClock,
  timestampFromMs,
  timestampToMs,
} from "../../src/base/index.ts";

const later = fc.record({ wall: fc.integer({ min: 0, max: 200_000 }), heard: fc.option(fc.nat()) });

/** Whether every tick is later than all that was given or accepted, whatever wall and neighbours say. */
function rises(steps: { wall: number; heard: number | null }[], create = createHybridClock): boolean {
  let wall = 0;
  let last = -1;
  const clock = create({ now: () => wall });
  return steps.every((step) => {
    wall = step.wall;
    if (step.heard !== null) last = Math.max(last, clock.observe(step.heard));
    const next = clock.tick();
    const risen = next > last && Number.isSafeInteger(next);
    last = next;
    return risen;
  });
}

it("BASE-1: a hybrid clock only rises, whatever the wall does and others say", () => {
  fc.assert(fc.property(fc.array(later, { maxLength: 40 }), (steps) => rises(steps)));
});

it("BASE-1 control: a clock that believes the wall alone does not", () => {
  const wallOnly: typeof createHybridClock = (wall) => {
    const tick = () => timestampFromMs(wall.now());
    return { tick, observe: (timestamp) => timestamp, latest: tick };
  };
  expect(
    fc.check(fc.property(fc.array(later, { maxLength: 40 }), (steps) => rises(steps, wallOnly))).failed,
  ).toBe(true);
});

it("BASE-1: a clock goes on from where it was left", () => {
  const clock = createHybridClock({ now: () => 1 }, timestampFromMs(5_000));
  expect(clock.tick()).toBe(timestampFromMs(5_000) + 1);
});

it("BASE-2: a foreign timestamp pulls the clock at most 60 s ahead of the wall", () => {
  const clock = createHybridClock({ now: () => 1_000 });
  expect(timestampToMs(clock.observe(timestampFromMs(61_000)))).toBe(61_000);
  expect(timestampToMs(clock.observe(timestampFromMs(61_001)))).toBe(61_000);
  expect(timestampToMs(clock.observe(Number.MAX_SAFE_INTEGER))).toBe(61_000);
  expect(maxClockDriftMs).toBe(60_000);
  expect(timestampToMs(clock.tick())).toBe(61_000);
});

it.each([Number.NaN, -1, 1.5, 2 ** 53, Number.POSITIVE_INFINITY])(
  "BASE-3: %s is no timestamp",
  (timestamp) => {
    const clock = createHybridClock({ now: () => 1_000 });
    expect(() => clock.observe(timestamp)).toThrow(
      expect.objectContaining({ code: "base/invalid-timestamp" }),
    );
    expect(clock.latest()).toBe(0);
  },
);

it("BASE-3: milliseconds survive the way through a timestamp", () => {
  fc.assert(fc.property(fc.nat({ max: 2 ** 43 - 1 }), (ms) => timestampToMs(timestampFromMs(ms)) === ms));
});

it("BASE-4: the machine's clock runs a task once, and not after its undo", () => {
  vi.useFakeTimers({ now: 7_000 });
  try {
    const ran: string[] = [];
    systemClock.after(10, () => ran.push("kept"));
    const undo = systemClock.after(10, () => ran.push("undone"));
    undo();
    undo();
    vi.advanceTimersByTime(50);
    expect([ran, systemClock.now()]).toEqual([["kept"], 7_050]);
  } finally {
    vi.useRealTimers();
  }
});
