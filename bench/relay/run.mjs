import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { build } from "vite";
import { projectDir } from "../../scripts/lib/doors.mjs";
import { runNpm } from "../../scripts/lib/run.mjs";
import { exitWithFailure } from "../../scripts/lib/serve.mjs";
import { createLauncher } from "./launch.mjs";

const help = `Measures our relay beside its peers and limits, and prints tables as Markdown. Under nine minutes.

Usage: npm run bench:relay -- [options]

  --quick           one run of half a second each; under two minutes
  --runs N          runs of each figure (default: $BENCH_RUNS, else 5)
  --scenarios A,B   of ping-pong, readers-10, readers-50, writers-20, join, idle, malicious
  --relays A,B      of ours, ours-shared, ours-default-limits (malicious only), hocuspocus, y-partyserver,
                    y-websocket-server, broadcast-workerd-row, broadcast-workerd, broadcast-node
  --tree DIR        measures the relay of another checkout as ours`;

const ownDir = fileURLToPath(new URL(".", import.meta.url));

function readOptions() {
  const { values } = parseArgs({
    options: {
      help: { type: "boolean", default: false },
      quick: { type: "boolean", default: false },
      runs: { type: "string" },
      scenarios: { type: "string", default: "" },
      relays: { type: "string", default: "" },
      tree: { type: "string", default: projectDir },
    },
  });
  const runs = Number(values.runs ?? process.env["BENCH_RUNS"] ?? (values.quick ? 1 : 5));
  if (!Number.isInteger(runs) || runs < 1)
    throw new Error("The number of runs must be a whole number from 1.");
  return { ...values, runs };
}

/** @param {string} text */
const split = (text) => text.split(",").filter((each) => each !== "");

/** The peers are a package of their own; it is installed on first use. */
async function installPeers() {
  if (existsSync(`${ownDir}node_modules/.package-lock.json`)) return;
  console.error("Installing the peers, once.");
  const exitCode = await runNpm([
    ...["ci", "--prefix", ownDir],
    ...["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"],
  ]);
  if (exitCode !== 0) throw new Error("The peers could not be installed.");
}

/** @returns {Promise<string>} the folder of the bundled load generator */
async function bundleGenerator() {
  const outDir = `${projectDir}node_modules/.bench-relay`;
  await build({
    configFile: false,
    logLevel: "warn",
    root: projectDir,
    build: {
      ssr: true,
      rollupOptions: { input: ["bench/relay/main.ts", "bench/relay/attacker.ts"] },
      outDir,
      emptyOutDir: true,
      target: "node20",
    },
  });
  return outDir;
}

async function run() {
  const { quick, help: asksForHelp, runs, ...options } = readOptions();
  if (asksForHelp) {
    console.log(help);
    return;
  }
  await installPeers();
  const outDir = await bundleGenerator();
  const { main } = await import(pathToFileURL(`${outDir}/main.js`).href);
  const launcher = createLauncher(resolve(options.tree));
  try {
    await main(launcher.start, {
      runs,
      loadMs: quick ? 500 : 1_000,
      relays: split(options.relays),
      scenarios: split(options.scenarios),
      attackerScript: `${outDir}/attacker.js`,
    });
  } finally {
    launcher.close();
  }
}

await run().catch(exitWithFailure);
process.exit(0);
