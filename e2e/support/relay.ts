import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findFreePort } from "../../scripts/lib/ports.mjs";
import { type RelayProcess, startRelay } from "../../scripts/lib/relay-process.mjs";

/** A real relay that keeps its address and its disk over crashes. */
export interface TestRelay {
  readonly url: string;
  readonly port: number;
  /** Kills the whole process group with SIGKILL. */
  crash(): Promise<void>;
  /** Starts it again: on its own disk, or where `blank` on an empty one. */
  restart(options?: { blank?: boolean }): Promise<void>;
  /** Ends it and removes its disks. */
  remove(): Promise<void>;
}

/** Starts a relay with an empty disk; `assets` is the folder of a page that it serves, `variables` are its settings. */
export async function startTestRelay({
  assets,
  variables,
}: {
  assets?: string;
  variables?: Record<string, string>;
} = {}): Promise<TestRelay> {
  const port = await findFreePort();
  const disks: string[] = [];
  let running: RelayProcess | undefined;

  async function start(): Promise<void> {
    const persistDir = disks.at(-1) as string;
    running = await startRelay({
      port,
      persistDir,
      ...(assets !== undefined && { assets }),
      ...(variables && { variables }),
    });
  }

  async function addDisk(): Promise<void> {
    disks.push(await mkdtemp(join(tmpdir(), "flockstate-e2e-relay-")));
  }

  async function crash(): Promise<void> {
    await running?.kill("SIGKILL");
    running = undefined;
  }

  await addDisk();
  await start();
  return {
    url: `http://localhost:${port}`,
    port,
    crash,
    async restart({ blank = false } = {}) {
      if (blank) await addDisk();
      await start();
    },
    async remove() {
      await crash();
      for (const disk of disks) await rm(disk, { recursive: true, force: true });
    },
  };
}
