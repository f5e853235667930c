import { cpus } from "node:os";
import { barTable } from "./bar.ts";
import { createRelays, type Relay } from "./relays.ts";
import { type Results, table } from "./report.ts";
import { fanOut } from "./scenarios/fan-out.ts";
import { idle } from "./scenarios/idle.ts";
import { lateJoin } from "./scenarios/join.ts";
import { malicious } from "./scenarios/malicious.ts";
import { pingPong } from "./scenarios/ping-pong.ts";
import type { Scenario, Target } from "./scenarios/scenario.ts";
import { manyWriters } from "./scenarios/writers.ts";

/** A server that runs, as `launch.mjs` starts it. */
interface RunningServer {
  url: string;
  pid: number;
  kill(): Promise<void>;
}

/** Starts a server by its name; undefined where this machine cannot run it. */
type StartServer = (name: string) => Promise<RunningServer | undefined>;

export interface BenchOptions {
  runs: number;
  /** How long each load lasts, in milliseconds. */
  loadMs: number;
  /** Ids of the relays to measure; none is all. */
  relays: readonly string[];
  /** Ids of the scenarios to run; none is all. */
  scenarios: readonly string[];
  /** The bundle of `attacker.ts`. */
  attackerScript: string;
}

function createScenarios(attackerScript: string): Scenario[] {
  return [
    pingPong,
    fanOut(10),
    fanOut(50),
    manyWriters(20, 50),
    lateJoin(100_000),
    idle(500),
    malicious(attackerScript),
  ];
}

/** Measures every chosen relay in every chosen scenario, one after another within each run, and prints the tables. */
export async function main(start: StartServer, options: BenchOptions): Promise<void> {
  const scenarios = choose(createScenarios(options.attackerScript), options.scenarios, "scenario");
  const relays = createRelays();
  const chosen = choose(relays, options.relays, "relay");
  const labels = new Map(relays.map(({ id, protocol }) => [id, protocol.name]));
  const measured = new Map<string, Results>();
  const servers = new Map<string, RunningServer | undefined>();
  console.log(
    `Node ${process.version}, ${cpus().length} cores that servers and load generator share, runs of ${options.loadMs / 1000} s: medians of ${options.runs}, with the range.`,
  );

  async function targetOf(
    relay: Relay,
    fresh: boolean,
  ): Promise<(Target & { stop(): Promise<void> }) | undefined> {
    if (!fresh && !servers.has(relay.server)) servers.set(relay.server, await start(relay.server));
    const server = fresh ? await start(relay.server) : servers.get(relay.server);
    if (!server) return undefined;
    const { url, pid } = server;
    return {
      id: relay.id,
      protocol: relay.protocol,
      url,
      pid,
      stop: async () => (fresh ? server.kill() : undefined),
    };
  }

  for (const scenario of scenarios) {
    const taking = chosen.filter(({ id }) => scenario.relays?.includes(id) ?? !isDedicated(id));
    const results: Results = new Map(taking.map(({ id }) => [id, []]));
    for (let run = 1; run <= options.runs; run++) {
      for (const relay of taking) {
        const target = await targetOf(relay, scenario.fresh === true);
        try {
          if (target) results.get(relay.id)?.push(await scenario.run(target, options));
        } catch (cause) {
          console.error(
            `${scenario.id}, ${relay.id}, run ${run}: ${cause instanceof Error ? cause.message : cause}`,
          );
        } finally {
          await target?.stop();
        }
      }
    }
    await scenario.close?.();
    measured.set(scenario.id, results);
    if (taking.length > 0) console.log(`\n${table(scenario, results, labels)}`);
  }
  console.log(`\n${barTable(measured)}`);
}

/** Started with limits of its own, for one scenario. */
function isDedicated(id: string): boolean {
  return id === "ours-default-limits";
}

function choose<T extends { id: string }>(
  all: readonly T[],
  ids: readonly string[],
  what: string,
): readonly T[] {
  const unknown = ids.find((id) => !all.some((each) => each.id === id));
  if (unknown !== undefined) {
    throw new Error(`There is no ${what} ${unknown}: choose of ${all.map(({ id }) => id).join(", ")}.`);
  }
  return ids.length === 0 ? all : all.filter(({ id }) => ids.includes(id));
}
