import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ensureBrowser } from "./browser.mjs";
import { commandPath, runNode } from "./lib/run.mjs";
import { exitWithFailure } from "./lib/serve.mjs";
import {
  addCounts,
  noCounts,
  readPlaywrightCounts,
  readVitestCounts,
  summarise,
} from "./lib/test-counts.mjs";

/** @typedef {import("./lib/test-counts.mjs").Counts} Counts */

// First, so that a machine without one learns it in seconds and not after the other tests.
const browser = await ensureBrowser().catch(exitWithFailure);
console.log(`End-to-end tests will run in ${browser}`);

// A runner that hangs must not hang the machine that waits for it.
const stageLimitMs = 15 * 60_000;
const reportDir = mkdtempSync(join(tmpdir(), "flockstate-test-"));

/**
 * @param {string} project
 * @returns {Promise<Counts>}
 */
async function vitest(project) {
  const report = join(reportDir, `${project}.json`);
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${report}`];
  const args = ["run", "--project", project, ...reporters];
  const exitCode = await runNode(commandPath("vitest"), args, { limitMs: stageLimitMs });
  return readVitestCounts(report, exitCode);
}

/** @returns {Promise<Counts>} */
async function endToEnd() {
  const built = await runNode(commandPath("vite"), ["build"], { quiet: true });
  if (built !== 0) return { ...noCounts, failed: 1 };
  const report = join(reportDir, "e2e.json");
  const playwright = commandPath("@playwright/test", "playwright");
  const exitCode = await runNode(playwright, ["test", "--reporter=list,json"], {
    env: { CHROMIUM_PATH: browser, PLAYWRIGHT_JSON_OUTPUT_FILE: report },
    limitMs: stageLimitMs,
  });
  return readPlaywrightCounts(report, exitCode);
}

/** @type {readonly [string, () => Promise<Counts>][]} */
const stages = [
  ["Unit and property tests, in Node", () => vitest("node")],
  ["Tests of the relay, in workerd", () => vitest("workerd")],
  ["End-to-end tests, in Chromium", endToEnd],
];

let total = noCounts;
for (const [title, stage] of stages) {
  console.log(`\n── ${title}`);
  total = addCounts(total, await stage());
}
rmSync(reportDir, { recursive: true, force: true });
console.log(`\n${summarise(total)}`);
process.exitCode = total.failed === 0 ? 0 : 1;
