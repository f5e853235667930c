import type { Undo } from "../../base/index.ts";

/** Frames of the platform and of packages: what they do with time, a user's code did not ask for. */
const foreignFrame = /node:|\/node_modules\/|<anonymous>|native/;
/** Frames of the watch itself. */
const ownFrame = /\/testing\/simulation\/(?:real-world|settling)\.[jt]s/;
const place = /\(?((?:file:\/\/|[A-Za-z]:\\|https?:\/\/|\/)[^()]+:\d+:\d+)\)?$/;

/**
 * Watches for what no seed decides: the machine's clock, timers, randomness and network. They go on working; `report` is
 * told of each place in an application's code that uses one, as `Date.now at /app/agent.ts:12:9`.
 */
export function watchRealWorld(report: (use: string) => void): Undo {
  const undo: Undo[] = [];

  function note(what: string): void {
    const caller = callerOf(new Error().stack ?? "");
    if (caller) report(`${what} at ${caller}`);
  }

  function watch<T extends object>(owner: T, name: keyof T & string, label: string): void {
    const original: unknown = owner[name];
    if (typeof original !== "function") return;
    const before = Object.getOwnPropertyDescriptor(owner, name);
    const watched = new Proxy(original, {
      apply(target, receiver: unknown, args: unknown[]) {
        note(label);
        return Reflect.apply(target as () => unknown, receiver, args);
      },
      construct(target, args: unknown[], newTarget) {
        // `new Date(0)` reads no clock.
        if (args.length === 0) note(`new ${label}`);
        return Reflect.construct(target as new () => object, args, newTarget as () => void);
      },
    });
    Object.defineProperty(owner, name, { configurable: true, writable: true, value: watched });
    undo.push(() => {
      if (before) Object.defineProperty(owner, name, before);
      else Reflect.deleteProperty(owner, name);
    });
  }

  watch(Date, "now", "Date.now");
  watch(globalThis, "Date", "Date");
  watch(performance, "now", "performance.now");
  watch(Math, "random", "Math.random");
  watch(crypto, "randomUUID", "crypto.randomUUID");
  watch(crypto, "getRandomValues", "crypto.getRandomValues");
  watch(AbortSignal, "timeout", "AbortSignal.timeout");
  for (const name of ["setTimeout", "setInterval", "fetch"] as const) watch(globalThis, name, name);

  return () => {
    for (const each of undo.splice(0).reverse()) each();
  };
}

/** The place that called, unless it is the platform's or a package's. */
function callerOf(stack: string): string | undefined {
  const frame = stack
    .split("\n")
    .slice(1)
    .map((line) => line.trim())
    .find((line) => !ownFrame.test(line) && !line.includes("Proxy"));
  if (!frame || foreignFrame.test(frame)) return undefined;
  return place.exec(frame)?.[1];
}
