import { describe, expect, it } from "vitest";
import { explore, type FlockStep } from "../../src/testing/index.ts";
import { withBroken } from "./broken-build.ts";
import { isCaught } from "./faults.ts";
import { relayCode } from "./flock.ts";
import { type RequestsFlockOptions, requestsScenario } from "./requests-flock.ts";
import { noisyRelay } from "./requests-signals.ts";
import { forSeeds, seedsFor } from "./seeds.ts";

/** Half of the worlds have a relay that loses signals and doubles others. */
const relayOf = (seed: number): typeof relayCode => (seed % 2 === 0 ? relayCode : noisyRelay);

/** Plays a flock once; a failure is not shrunk. */
function play(seed: number, options: RequestsFlockOptions): Promise<unknown> {
  return explore(requestsScenario(options), { relay: relayOf(seed), seeds: [seed], shrinkRuns: 0 });
}

type Exports = Record<string, unknown>;

/** Whether a build with a broken module of requests is caught. */
function isCaughtWithout(
  complaint: RegExp,
  module: string,
  breakIt: (sound: Exports) => Exports,
  options: RequestsFlockOptions = {},
): Promise<boolean> {
  return withBroken(`../../src/messaging/requests/${module}.ts`, breakIt, async () => {
    const { requestsScenario: scenario } = await import("./requests-flock.ts");
    const { explore: tryOut } = await import("../../src/testing/index.ts");
    return isCaught(complaint, 60, (seed) =>
      tryOut(scenario(options), { relay: relayOf(seed), seeds: [seed], shrinkRuns: 0 }),
    );
  });
}

describe("questions under faults", () => {
  forSeeds(
    "REQ-30 PROP-40 PROP-41 PROP-42 each is answered, late or expired, and done once in each life",
    seedsFor(500),
    (seed) => explore(requestsScenario(), { relay: relayOf(seed), seeds: [seed] }),
  );

  it("PROP-40 control: somebody who leaves questions without an answer is caught", async () => {
    const answers = (number: number): boolean => number % 2 === 0;
    expect(await isCaught(/still waits/, 40, (seed) => play(seed, { answers }))).toBe(true);
  });

  it("PROP-40 control: late replies of which nobody is told are caught", async () => {
    const keep: RequestsFlockOptions["keep"] = (book) => ({ ...book, late: () => undefined });
    expect(await isCaught(/lost in silence/, 40, (seed) => play(seed, { keep }))).toBe(true);
  });

  it("PROP-40 control: a responder that looks at another clock than its own is caught", async () => {
    const tamper: RequestsFlockOptions["tamper"] = ({ name, clock, platform }) =>
      name === "replica-0"
        ? platform
        : { ...platform, clock: { ...clock, now: () => clock.now() - 3_600_000 } };
    expect(await isCaught(/after its deadline/, 40, (seed) => play(seed, { tamper }))).toBe(true);
  });

  it("PROP-40 control: handlers that do not hear what is taken back are caught", async () => {
    const deaf = { cancelled: () => undefined, onCancelled: () => () => undefined, close: () => undefined };
    const broken = (): Exports => ({ createCancellations: () => deaf });
    expect(await isCaughtWithout(/taken back/, "cancellations", broken)).toBe(true);
  });

  it("PROP-41 control: replies that are given twice are caught", async () => {
    const broken = ({ requestMany }: Exports): Exports => ({
      async *requestMany(...call: unknown[]) {
        const ask = requestMany as (...given: unknown[]) => AsyncIterable<unknown>;
        for await (const reply of ask(...call)) {
          yield reply;
          yield reply;
        }
      },
    });
    expect(await isCaughtWithout(/was given .* twice/, "request-many", broken)).toBe(true);
  });

  it("PROP-41 control: replies that end too late, or with too many, are caught", async () => {
    const broken = ({ requestMany }: Exports): Exports => ({
      requestMany(ports: unknown, message: unknown, { signal }: { signal: AbortSignal }) {
        const ask = requestMany as (...given: unknown[]) => unknown;
        return ask(ports, message, { signal, totalMs: 100_000 });
      },
    });
    expect(await isCaughtWithout(/after its end|replies, of which/, "request-many", broken)).toBe(true);
  });

  it("PROP-42 control: calls that are forgotten once they are answered are caught", async () => {
    const broken = ({ stepCallBook }: Exports): Exports => ({
      stepCallBook(book: { taken: Map<string, unknown> }, event: { type: string; key: string }) {
        const effects = (stepCallBook as (...given: unknown[]) => unknown)(book, event);
        if (event.type === "executed") book.taken.delete(event.key);
        return effects;
      },
    });
    const calls: RequestsFlockOptions = { weights: { request: 0, poll: 0 } };
    expect(await isCaughtWithout(/executes the call/, "call-book", broken, calls)).toBe(true);
  });
});

describe("questions that failed once", () => {
  const regressions: readonly [title: string, seed: number, steps: readonly FlockStep[]][] = [
    [
      "a deadline that passes while the delivery is counted on disk",
      61,
      [
        { afterMs: 0, does: "mute", on: "replica-1", forMs: 2_000 },
        { afterMs: 2_000, does: "poll", on: "replica-0", draw: 6_956 },
      ],
    ],
    [
      "a page that dies with its first request on its way",
      535,
      [
        { afterMs: 700, does: "hide", on: "replica-0", forMs: 1_000 },
        { afterMs: 575, does: "request", on: "replica-0", draw: 0 },
        { afterMs: 0, does: "crash", on: "replica-0", forMs: 0 },
      ],
    ],
  ];

  it.each(regressions)("PROP-40 %s", async (_, seed, steps) => {
    await explore(requestsScenario(), { relay: relayCode, seeds: [seed], steps });
  });
});
