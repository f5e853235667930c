import { describe, expect, it } from "vitest";
import { createEntryLog } from "../../../src/crdt/lanes/entry-log.ts";
import { createCancellations } from "../../../src/messaging/requests/cancellations.ts";
import { readPage, writePage } from "../../crdt/lanes.ts";

const request = "alice.planner.x/0-7/3";

/** A log into which writers say what they take back. */
function setUp() {
  const log = createEntryLog();
  const lanes = new Map<string, { page: ReturnType<typeof writePage>; updates: Uint8Array[] }>();
  return {
    log,
    say(writer: string, body: unknown, kind = "cancel") {
      const lane = lanes.get(writer) ?? { page: writePage(0, 7), updates: [] };
      lanes.set(writer, lane);
      lane.updates.push(lane.page.append({ bodies: [body as never], kind }));
      log.take(writer, readPage(lane.page.name, lane.updates));
      return lane.page.name;
    },
  };
}

describe("the index of cancellations", () => {
  it("REQ-13: knows what was taken back, before it was opened and since, and tells of each once", () => {
    const { log, say } = setUp();
    say("alice.planner.x", { request, reason: "early" });
    const index = createCancellations(log);
    const told: unknown[] = [];
    const stop = index.onCancelled((cancelled) => told.push(cancelled));
    expect(index.cancelled(request)).toBe("early");
    const other = "alice.planner.x/0-7/4";
    for (const reason of ["late", "later"]) say("alice.planner.x", { request: other, reason });
    expect(index.cancelled(other)).toBe("late");
    expect(told).toEqual([{ id: other, reason: "late" }]);
    stop();
    say("alice.planner.x", { request: "alice.planner.x/0-7/5", reason: "unheard" });
    expect(told).toHaveLength(1);
    index.close();
    say("alice.planner.x", { request: "alice.planner.x/0-7/6", reason: "closed" });
    expect(index.cancelled("alice.planner.x/0-7/6")).toBeUndefined();
  });

  it("REQ-13: hears only the agent that asked, by whichever of its writers", () => {
    const { log, say } = setUp();
    const index = createCancellations(log);
    for (const writer of ["bob.planner.x", "alice.critic.x"]) say(writer, { request, reason: "mine now" });
    for (const body of [null, { request }, { request: "planner", reason: "" }, { request: 1, reason: "" }]) {
      say("alice.planner.x", body);
    }
    say("alice.planner.x", { request, reason: "no cancellation" }, "note");
    expect(index.cancelled(request)).toBeUndefined();
    say("alice.planner.y", { request, reason: "from another device" });
    expect(index.cancelled(request)).toBe("from another device");
  });

  it("REQ-13: forgets what the log lets go of", () => {
    const { log, say } = setUp();
    const index = createCancellations(log);
    const page = say("alice.planner.x", { request, reason: "x" });
    say("alice.planner.y", { request: "alice.planner.y/0-7/1", reason: "y" });
    log.release("alice.planner.x", page);
    expect(index.cancelled(request)).toBeUndefined();
    expect(index.cancelled("alice.planner.y/0-7/1")).toBe("y");
  });
});
