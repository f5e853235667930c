import { describe, expect, it } from "vitest";
import { explore } from "../../src/testing/index.ts";
import { withBroken } from "./broken-build.ts";
import { isCaught } from "./faults.ts";
import { relayCode } from "./flock.ts";
import { forSeeds, seedsFor } from "./seeds.ts";
import { type StreamsFlockOptions, streamsScenario } from "./streams-flock.ts";

type Exports = Record<string, unknown>;

/** Plays a flock once; a failure is not shrunk. */
function play(seed: number, options: StreamsFlockOptions): Promise<unknown> {
  return explore(streamsScenario(options), { relay: relayCode, seeds: [seed], shrinkRuns: 0 });
}

/** Whether a build with a broken module of streams is caught. */
function isCaughtWithout(
  complaint: RegExp,
  module: string,
  breakIt: (sound: Exports) => Exports,
): Promise<boolean> {
  return withBroken(`../../src/messaging/streams/${module}.ts`, breakIt, async () => {
    const { streamsScenario: scenario } = await import("./streams-flock.ts");
    const { explore: tryOut } = await import("../../src/testing/index.ts");
    return isCaught(complaint, 40, (seed) =>
      tryOut(scenario(), { relay: relayCode, seeds: [seed], shrinkRuns: 0 }),
    );
  });
}

describe("streams under faults", () => {
  forSeeds(
    "PROP-43 are read to their end, from wherever a reader was, without a gap or anything twice",
    seedsFor(500),
    streamsScenario(),
  );

  it("PROP-43 control: a reader that goes on one too far is caught", async () => {
    const resumeAt = (offset: number): number => (offset === 0 ? 0 : offset + 1);
    expect(await isCaught(/and is given/, 40, (seed) => play(seed, { resumeAt }))).toBe(true);
  });

  it("PROP-43 control: readings that begin at the beginning are caught", async () => {
    const broken = ({ createAssembly }: Exports): Exports => ({
      createAssembly: (id: string) => (createAssembly as (id: string, from: number) => unknown)(id, 0),
    });
    expect(await isCaughtWithout(/and is given/, "assembly", broken)).toBe(true);
  });

  it("PROP-43 control: a writer that is gone and says nothing of it is caught", async () => {
    const broken = (): Exports => ({ openStreamsOf: () => new Map() });
    expect(await isCaughtWithout(/still reads/, "open-streams", broken)).toBe(true);
  });

  it("PROP-43 control: halves of emoji that do not wait for each other are caught", async () => {
    const broken = ({ createPartBuffer, wellFormed }: Exports): Exports => ({
      createPartBuffer(...call: unknown[]) {
        const buffer = (createPartBuffer as (...given: unknown[]) => { push(part: unknown): number })(
          ...call,
        );
        const { push } = buffer;
        const mend = wellFormed as (text: string) => string;
        buffer.push = (part) => push(typeof part === "string" ? mend(part) : part);
        return buffer;
      },
    });
    expect(await isCaughtWithout(/ has .* of /, "part-buffer", broken)).toBe(true);
  });
});
