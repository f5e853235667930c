import { getEventListeners } from "node:events";
import { expect, it } from "vitest";
import { abortable } from "../../src/base/index.ts";

const never = new Promise<never>(() => {});

it("BASE-16: the outcome comes through, and no listener stays on the signal", async () => {
  const { signal } = new AbortController();
  expect(await abortable(Promise.resolve(1), undefined)).toBe(1);
  expect(await abortable(Promise.resolve(1), signal)).toBe(1);
  await expect(abortable(Promise.reject(new Error("its own")), signal)).rejects.toThrow("its own");
  await Promise.resolve();
  expect(getEventListeners(signal, "abort")).toHaveLength(0);
});

it("BASE-16: an abort rejects with the signal's reason", async () => {
  const controller = new AbortController();
  const waiting = abortable(never, controller.signal);
  controller.abort(new Error("enough"));
  await expect(waiting).rejects.toThrow("enough");
  await expect(abortable(never, controller.signal)).rejects.toThrow("enough");
});

it("BASE-16: a failure after an abort is nobody's", async () => {
  await expect(
    abortable(Promise.reject(new Error("late")), AbortSignal.abort(new Error("enough"))),
  ).rejects.toThrow("enough");
});
