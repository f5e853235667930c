import { availableParallelism } from "node:os";
import { readArguments } from "./lib/arguments.mjs";
import { commandPath, runNode } from "./lib/run.mjs";

const help = `Plays seeds of the properties for as long as asked, several processes at once; each failure says its seed and the steps it needs.

Usage: node scripts/seeds.mjs [--seeds N] [--first N] [--test PATH] [--processes N]

  --seeds N      how many seeds of each property (default: 10000)
  --first N      the first of them (default: 0)
  --test PATH    a file of test/properties (default: test/properties/messages.test.ts)
  --processes N  how many at once (default: the machine's processors)`;

const given = readArguments(["seeds", "first", "test", "processes"], help);
const seeds = Number(given.seeds ?? 10_000);
const first = Number(given.first ?? 0);
const processes = Math.min(seeds, Number(given.processes ?? availableParallelism()));
const test = given.test ?? "test/properties/messages.test.ts";
const share = Math.ceil(seeds / processes);

/** @param {number} from */
function playFrom(from) {
  const count = Math.min(share, first + seeds - from);
  return runNode(
    commandPath("vitest"),
    ["run", "--project", "node", test, "--testNamePattern", "\\(seeds "],
    {
      env: { FLOCKSTATE_FIRST: String(from), FLOCKSTATE_SEEDS: String(count) },
    },
  );
}

const codes = await Promise.all(
  Array.from({ length: Math.ceil(seeds / share) }, (_, index) => playFrom(first + index * share)),
);
process.exitCode = Math.max(...codes);
