import { describe, test } from "vitest";
import type { Persistence } from "../../src/crdt/index.ts";
import { createSimulatedRandom, persistenceContract } from "../../src/testing/index.ts";
import { createDisk } from "../../src/testing/simulation/disk.ts";
import { createHost } from "../../src/testing/simulation/host.ts";
import { createLocks } from "../../src/testing/simulation/locks.ts";
import { createSimulatedPersistence } from "../../src/testing/simulation/persistence.ts";
import { createTimeline } from "../../src/testing/simulation/timeline.ts";

/** One simulated browser and the process that has it open at present. */
function createBrowser() {
  const timeline = createTimeline();
  const random = createSimulatedRandom("contract");
  const disk = createDisk(timeline, random, () => random.between(0, 5));
  const locks = createLocks(true);
  let processes = 0;
  let process = createHost(timeline, `process ${processes}`);
  const open = (): Persistence => createSimulatedPersistence(disk, locks, process);

  return {
    timeline,
    disk,
    open,
    another: () => createSimulatedPersistence(disk, locks, createHost(timeline, `process ${++processes}`)),
    crash(): Persistence {
      process.kill();
      process = createHost(timeline, `process ${++processes}`);
      return open();
    },
    append: (name: string, update: Uint8Array) =>
      disk.transact(process, name, "write", ({ updates }) => void updates.push(update)),
  };
}

describe("the contract in the simulation", () => {
  let browser = createBrowser();
  const cases = persistenceContract(
    async () => {
      browser = createBrowser();
      return browser.open();
    },
    {
      another: async () => browser.another(),
      crash: async () => browser.crash(),
      fillDisk() {
        browser.disk.faults.full = true;
        return () => {
          browser.disk.faults.full = false;
        };
      },
      appendUpdate: (_, name, update) => browser.append(name, update),
    },
  );

  /** Lets the simulated time go on while a case runs. */
  async function underway(run: () => Promise<void>): Promise<void> {
    let isOver = false;
    const running = run().finally(() => {
      isOver = true;
    });
    running.catch(() => undefined);
    while (!isOver) {
      browser.timeline.step(Number.POSITIVE_INFINITY);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await running;
  }

  for (const { id, title, run } of cases) test(`${id}: ${title}`, () => underway(run));
});
