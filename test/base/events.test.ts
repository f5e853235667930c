import { afterEach, expect, it } from "vitest";
import { createEmitter, createStore } from "../../src/base/index.ts";

const microtask = globalThis.queueMicrotask;
afterEach(() => {
  globalThis.queueMicrotask = microtask;
});

it("BASE-13: an emitter tells each listener once, until its undo", () => {
  const heard: string[] = [];
  const emitter = createEmitter<string>();
  const listener = (event: string) => heard.push(event);
  const undo = emitter.on(listener);
  emitter.on(listener);
  emitter.emit("a");
  undo();
  undo();
  emitter.emit("b");
  expect([heard, emitter.size]).toEqual([["a", "a", "b"], 1]);
});

it("BASE-13: who subscribes while an event is told hears the next one", () => {
  const heard: string[] = [];
  const emitter = createEmitter<string>();
  emitter.on((event) => {
    heard.push(`first ${event}`);
    if (event === "a") emitter.on((later) => heard.push(`second ${later}`));
  });
  emitter.emit("a");
  emitter.emit("b");
  expect(heard).toEqual(["first a", "first b", "second b"]);
});

it("BASE-14: a listener that throws stops nobody, and its failure reaches the host", () => {
  const tasks: (() => void)[] = [];
  globalThis.queueMicrotask = (task) => tasks.push(task);
  const heard: number[] = [];
  const emitter = createEmitter<number>();
  emitter.on(() => {
    throw new Error("mine alone");
  });
  emitter.on((event) => heard.push(event));
  emitter.emit(1);
  expect(heard).toEqual([1]);
  expect(tasks).toHaveLength(1);
  expect(() => tasks[0]?.()).toThrow("mine alone");
});

it("BASE-15: a store tells new values only, and never the present one", () => {
  const heard: number[] = [];
  const store = createStore(1);
  const undo = store.subscribe((value) => heard.push(value));
  store.set(1);
  store.set(2);
  store.set(Number.NaN);
  store.set(Number.NaN);
  undo();
  store.set(3);
  expect([heard, store.get()]).toEqual([[2, Number.NaN], 3]);
});
