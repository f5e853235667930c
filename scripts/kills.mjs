import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readArguments } from "./lib/arguments.mjs";
import { commandPath, runNode } from "./lib/run.mjs";

const help = `Kills the relay over and over, on the real runtime and under load, and judges its rooms after each kill.

Usage: node scripts/kills.mjs [--kills N] [--seed N]

  --kills N   how often, at random steps and moments (default: 1000)
  --seed N    what the choices are made from (default: the time)`;

const { kills = "1000", seed = String(Date.now() % 1_000_000) } = readArguments(["kills", "seed"], help);
const dir = mkdtempSync(join(tmpdir(), "flockstate-kills-"));
const report = join(dir, "report.json");
console.log(`${kills} kills, seed ${seed}: about half a second each.`);
const exitCode = await runNode(
  commandPath("vitest"),
  ["run", "--project", "node", "test/kill/kills.test.ts"],
  {
    env: { FLOCKSTATE_KILLS: kills, FLOCKSTATE_SEED: seed, FLOCKSTATE_KILLS_REPORT: report },
  },
);
try {
  /** @type {{ kills: number, broken: string[], steps: Record<string, number> }} */
  const outcome = JSON.parse(readFileSync(report, "utf8"));
  for (const [step, count] of Object.entries(outcome.steps))
    console.log(`${String(count).padStart(6)}  ${step}`);
  console.log(`\nkills ${outcome.kills}, broken promises ${outcome.broken.length}, seed ${seed}`);
} catch {
  // Without a report the run ended before its last kill, and vitest has said why.
}
rmSync(dir, { recursive: true, force: true });
process.exitCode = exitCode;
