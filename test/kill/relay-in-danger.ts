import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { get, type IncomingMessage } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { json } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { bundleWorker } from "../../scripts/lib/bundle-worker.mjs";
import { developmentVariables } from "../../scripts/lib/relay-process.mjs";
import { startWorkerd } from "../../scripts/lib/workerd-process.mjs";
import type { Breakage } from "./worker/broken-storage.ts";

/** One life of the relay: from its start over the rooms of the last one to its kill. */
export interface Life {
  readonly url: string;
  /** The step at which the process stood still and was killed; undefined where it was not. */
  readonly diedAt: string | undefined;
  /** Settles once the process has ended. */
  readonly over: Promise<void>;
  /** Has it killed when it reaches this step for the `hits`th time from now; `*` is any step. */
  arm(step: string, hits: number): Promise<void>;
  /** How often each step was reached since it was armed. */
  counts(): Promise<Record<string, number>>;
  /** SIGKILL, whatever it does. */
  kill(): Promise<void>;
}

/** A relay on the real runtime that dies often, and its rooms, which stay. */
export interface RelayInDanger {
  /** Lives of different relays, which share nothing, may go on side by side. A step may be armed before it begins. */
  start(options?: { relay?: number; step?: string }): Promise<Life>;
  dispose(): Promise<void>;
}

const entry = fileURLToPath(new URL("worker/failing-relay.ts", import.meta.url));

/** Bundles the relay with its fail points; with a breakage it is one that the suite must convict. */
export async function createRelayInDanger({
  breakage,
}: {
  breakage?: Breakage;
} = {}): Promise<RelayInDanger> {
  const dir = mkdtempSync(join(tmpdir(), "flockstate-kills-"));
  const module = join(dir, "worker.mjs");
  await bundleWorker({ entry, outFile: module });
  const last = new Map<number, Life>();

  return {
    async start({ relay: number = 0, step: armed } = {}) {
      let diedAt: string | undefined;
      const relay = await startWorkerd({
        module,
        persistDir: join(dir, String(number)),
        bindings: {
          ...developmentVariables,
          ...(breakage && { BREAKAGE: breakage }),
          ...(armed && { ARMED: armed }),
        },
        log(line) {
          const [, step] = /^\{"reached":"(.+)"\}$/.exec(line) ?? [];
          if (step === undefined) return;
          diedAt = step;
          void relay.kill("SIGKILL");
        },
      });
      // Over a connection of its own: one that is kept may end just when it is used again.
      const ask = async (query: string) => {
        const request = get(`${relay.url}/fail-points${query}`, { agent: false });
        const [response] = (await once(request, "response")) as [IncomingMessage];
        return (await json(response)) as Record<string, number>;
      };
      const life: Life = {
        url: relay.url,
        get diedAt() {
          return diedAt;
        },
        over: relay.stopped,
        async arm(step, hits) {
          await ask(`?step=${encodeURIComponent(step)}&hits=${hits}`);
        },
        counts: () => ask(""),
        kill: () => relay.kill("SIGKILL"),
      };
      last.set(number, life);
      return life;
    },
    async dispose() {
      for (const life of last.values()) await life.kill();
      if (existsSync(dir)) rmSync(dir, { recursive: true, force: true });
    },
  };
}
