import { describe, expect, it } from "vitest";
import { eagerCursor, forgetfulDisk, isCaught } from "./faults.ts";
import { type FlockOptions, flockScenario, playFlock } from "./flock.ts";
import { forSeeds, seedsFor } from "./seeds.ts";

const bad: FlockOptions = { faults: { slowDisk: 8, noisyTabs: 8, hide: 4, crash: 5 } };
const storageFails = /^(crdt\/storage|refstore\/)/;
const lost: FlockOptions = {
  expected: storageFails,
  // What only a lost browser and the relay had, nobody may bring back to a relay that forgot it.
  faults: { powerLoss: 6, wipe: 3, relayReset: 0 },
};

/** What a browser may do to its rooms, each beside everything else that may befall a flock. */
const refusing: Record<string, FlockOptions> = {
  "a full disk": { faults: { fullDisk: 8, crash: 5, relayReset: 0 } },
  "a disk that aborts writes": { faults: { abortedWrites: 8, crash: 5, relayReset: 0 } },
  "data cleared under open tabs": { faults: { clearData: 8, relayReset: 0 } },
  "a copied profile": { faults: { clone: 3, relayReset: 0 } },
};

describe("a flock on bad machines", () => {
  forSeeds(
    "PROP-14 slow disks, hidden tabs and noisy channels lose nothing",
    seedsFor(20),
    flockScenario(bad),
  );

  forSeeds(
    "PROP-14 after losses of power and of storage every replica has the same, and what was relayed",
    seedsFor(40),
    flockScenario(lost),
  );

  for (const [what, options] of Object.entries(refusing)) {
    forSeeds(
      `PROP-14 after ${what} every replica has the same, and what was relayed`,
      seedsFor(40),
      flockScenario({ ...options, expected: storageFails }),
    );
  }

  it("PROP-14 control: a cursor past what a writer could not store is caught", async () => {
    const options: FlockOptions = { ...refusing["a full disk"], expected: storageFails, tamper: eagerCursor };
    expect(await isCaught(/lacks|differs/, 40, (seed) => playFlock(seed, options))).toBe(true);
  });

  it("PROP-14 control: a disk that keeps a cursor and forgets what it covers is caught", async () => {
    const tamper = forgetfulDisk;
    expect(await isCaught(/differs|lacks|lost/, 40, (seed) => playFlock(seed, { ...lost, tamper }))).toBe(
      true,
    );
  });
});
