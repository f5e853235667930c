import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { developmentVariables, startRelay } from "../../scripts/lib/relay-process.mjs";
import { runNpm } from "../../scripts/lib/run.mjs";
import { exitWithFailure } from "../../scripts/lib/serve.mjs";
import { buildBench, loadBench } from "../load.mjs";
import { startNats } from "./nats.mjs";

const help = `Measures messages from send to handler, and prints tables as Markdown. Under four minutes.

Usage: npm run bench:messaging [-- PART ...]

  parts: in-process, tabs, routing, relay, nats; all of them by default
  BENCH_RUNS=N  runs of each figure (default 3)`;

const ownDir = fileURLToPath(new URL(".", import.meta.url));

/** nats.js is a package of its own; it is installed on first use, and left out where that fails. */
async function installPeers() {
  if (existsSync(`${ownDir}node_modules/.package-lock.json`)) return;
  console.error("Installing nats.js, once.");
  await runNpm([
    ...["ci", "--prefix", ownDir],
    ...["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"],
  ]);
}

async function run() {
  const parts = process.argv.slice(2);
  if (parts.includes("--help")) {
    console.log(help);
    return;
  }
  const runs = Number(process.env["BENCH_RUNS"] ?? 3);
  if (!Number.isInteger(runs) || runs < 1) throw new Error("BENCH_RUNS must be a whole number from 1.");
  if (parts.length === 0 || parts.includes("nats")) await installPeers();
  const { main } = await loadBench("messaging/main");
  await main({
    runs,
    parts,
    reader: await buildBench("messaging/reader"),
    startNats,
    startRelay: ({ persistDir, limits }) =>
      startRelay({
        persistDir,
        variables: { ...developmentVariables, FLOCKSTATE_LIMITS: JSON.stringify(limits) },
      }),
  });
}

// The timers of rooms keep no process alive.
setInterval(() => undefined, 1_000);
await run().catch(exitWithFailure);
process.exit(0);
