import { describe, expect, it } from "vitest";
import { createCaughtUp } from "../../src/crdt/caught-up.ts";
import { createManualClock } from "../refstore/manual-clock.ts";

function create(options: { hasRelay?: boolean; hasTabs?: boolean } = {}) {
  const clock = createManualClock();
  const caughtUp = createCaughtUp(clock, { hasRelay: true, hasTabs: true, ...options });
  return { clock, caughtUp };
}

describe("catching up", () => {
  it("DOCS-8: the relay's join is enough, and so is a tab that has caught up itself", async () => {
    const joined = create().caughtUp;
    joined.welcomed();
    expect(joined.isReached).toBe(false);
    joined.joined();
    await joined.reached;
    const answered = create().caughtUp;
    answered.answered(true);
    await answered.reached;
    expect([joined.isReached, answered.isReached]).toEqual([true, true]);
  });

  it("DOCS-8: while the relay may be reached, a tab that knows as little is not enough", () => {
    const { caughtUp, clock } = create();
    caughtUp.answered(false);
    clock.advance(60_000);
    expect(caughtUp.isReached).toBe(false);
    caughtUp.dropped();
    expect(caughtUp.isReached).toBe(true);
  });

  it("DOCS-8: where it can't be reached any tab is, but not once the relay has begun to tell", () => {
    const offline = create().caughtUp;
    offline.dropped();
    expect(offline.isReached).toBe(false);
    offline.answered(false);
    expect(offline.isReached).toBe(true);
    const begun = create().caughtUp;
    begun.answered(false);
    begun.welcomed();
    begun.dropped();
    expect(begun.isReached).toBe(false);
  });

  it("DOCS-8: without a relay any tab is enough, else a second alone; without either nothing is waited for", () => {
    const answered = create({ hasRelay: false });
    answered.caughtUp.answered(false);
    expect(answered.caughtUp.isReached).toBe(true);
    const alone = create({ hasRelay: false });
    alone.clock.advance(999);
    expect(alone.caughtUp.isReached).toBe(false);
    alone.clock.advance(1);
    expect(alone.caughtUp.isReached).toBe(true);
    expect(create({ hasRelay: false, hasTabs: false }).caughtUp.isReached).toBe(true);
    const { caughtUp, clock } = create({ hasRelay: false });
    caughtUp.close();
    expect(clock.delays()).toEqual([]);
  });
});
