import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { projectDir, readDoors } from "./lib/doors.mjs";
import { quietEnvironment } from "./lib/quiet-environment.mjs";
import { commandPath, runNode, runNpm } from "./lib/run.mjs";

const withTests = !process.argv.includes("--without-tests");
const packDir = mkdtempSync(join(tmpdir(), "flockstate-pack-"));

/** @returns {string} */
const tarball = () =>
  join(packDir, readdirSync(packDir).find((name) => name.endsWith(".tgz")) ?? "missing.tgz");

const attwArguments = () => [tarball(), "--profile", "esm-only", "--no-emoji"];

/** With a fixture for the demo, which need not be built. */
function dryRun() {
  const args = ["deploy", "--dry-run", "--outdir", join(packDir, "worker"), "--assets", "test/edge/assets"];
  return runNode(commandPath("wrangler"), args, { env: quietEnvironment(packDir) });
}

/** A door that needs a browser or workerd when it is merely imported fails here. */
async function importDoors() {
  for (const { specifier } of readDoors()) {
    const names = Object.keys(await import(specifier));
    console.log(`${specifier}: ${names.length} exports`);
  }
  return 0;
}

/** @typedef {[title: string, step: () => Promise<number>]} Step */

/** @type {Step[]} */
const tests = withTests ? [["Tests", () => runNode("scripts/test.mjs", [])]] : [];

/** @type {Step[]} */
const steps = [
  ["Types", () => runNpm(["run", "--silent", "types"])],
  ["Lint and format", () => runNode(commandPath("@biomejs/biome", "biome"), ["check", "."])],
  ...tests,
  ["Build and pack", () => runNpm(["pack", "--silent", "--pack-destination", packDir])],
  ["Exports: publint", () => runNode(commandPath("publint"), [tarball(), "--strict"])],
  [
    "Exports: are the types wrong",
    () => runNode(commandPath("@arethetypeswrong/cli", "attw"), attwArguments()),
  ],
  ["Exports: import in Node", importDoors],
  ["Size", () => runNode(commandPath("size-limit"), [])],
  ["Deploy, dry run", dryRun],
];

const failures = [];
for (const [title, step] of steps) {
  console.log(`\n── ${title}`);
  const exitCode = await step().catch((failure) => {
    console.error(failure);
    return 1;
  });
  if (exitCode !== 0) failures.push(title);
}
rmSync(packDir, { recursive: true, force: true });
console.log(
  failures.length === 0
    ? `\nAll ${steps.length} checks hold in ${projectDir}`
    : `\nFailed: ${failures.join("; ")}`,
);
process.exitCode = failures.length === 0 ? 0 : 1;
