import { expect, it } from "vitest";
import { createWatermark } from "../../src/crdt/watermark.ts";
import { createWrite } from "../../src/crdt/write.ts";

/** Names the promises that have resolved or rejected so far. */
async function settledOf(promises: Record<string, Promise<void>>): Promise<string[]> {
  const settled: string[] = [];
  for (const [name, promise] of Object.entries(promises)) {
    promise.then(
      () => settled.push(name),
      () => settled.push(`${name} failed`),
    );
  }
  await new Promise((resume) => setImmediate(resume));
  return settled;
}

it("STATE-1: who waits for a number hears of it when it is reached, and not before", async () => {
  const mark = createWatermark(1);
  const waiting = {
    past: mark.reached(0),
    now: mark.reached(1),
    next: mark.reached(2),
    far: mark.reached(9),
  };
  expect(await settledOf(waiting)).toEqual(["past", "now"]);
  mark.advance(5);
  mark.advance(3);
  expect(mark.value).toBe(5);
  expect(await settledOf(waiting)).toEqual(["past", "now", "next"]);
});

it("STATE-1: a failure is told to everyone past the value, until the value rises", async () => {
  const mark = createWatermark();
  const waiting = mark.reached(1);
  mark.fail(new Error("disk full"));
  await expect(waiting).rejects.toThrow("disk full");
  await expect(mark.reached(1)).rejects.toThrow("disk full");
  mark.advance(1);
  await mark.reached(1);
  expect(await settledOf({ next: mark.reached(2) })).toEqual([]);
});

it("STATE-1: a failure up to a number is not that of later ones", async () => {
  const mark = createWatermark();
  const waiting = { first: mark.reached(1), later: mark.reached(3) };
  mark.fail(new Error("disk full"), 2);
  const after = { second: mark.reached(2), third: mark.reached(3) };
  expect(await settledOf({ ...waiting, ...after })).toEqual(["first failed", "second failed"]);
  mark.advance(3);
  await Promise.all([waiting.later, after.third, mark.reached(2)]);
});

it("STATE-1: a signal ends the wait, and the write goes on", async () => {
  const mark = createWatermark();
  const controller = new AbortController();
  const waiting = mark.reached(1, controller.signal);
  controller.abort(new Error("enough"));
  await expect(waiting).rejects.toThrow("enough");
  mark.advance(1);
  await mark.reached(1);
});

it("STATE-2: the stages of a write are independent, and delivered needs an addressee", async () => {
  const local = createWatermark();
  const relayed = createWatermark(1);
  const write = createWrite({ local: () => local.reached(1), relayed: () => relayed.reached(1) });
  await write.settled("relayed");
  expect(await settledOf({ local: write.settled("local") })).toEqual([]);
  await expect(write.settled("delivered")).rejects.toMatchObject({ code: "crdt/no-addressee" });
  await expect(write.settled("local", { signal: AbortSignal.abort(new Error("enough")) })).rejects.toThrow(
    "enough",
  );
});
