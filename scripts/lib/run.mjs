import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { projectDir } from "./doors.mjs";

const graceMs = 5_000;

/**
 * The script behind a command of an installed package, to be run with Node: no shell, the same on every system.
 *
 * @param {string} packageName
 * @param {string} [command] where the package has several
 * @returns {string}
 */
export function commandPath(packageName, command = packageName) {
  const manifestPath = join(projectDir, "node_modules", packageName, "package.json");
  /** @type {{ bin?: string | Record<string, string> }} */
  const manifest = JSON.parse(readFileSync(manifestPath, "utf8"));
  const script = typeof manifest.bin === "string" ? manifest.bin : manifest.bin?.[command];
  if (script === undefined) throw new Error(`The package ${packageName} has no command ${command}.`);
  return join(dirname(manifestPath), script);
}

/**
 * @typedef {object} RunOptions
 * @property {Record<string, string>} [env] added to this process's own
 * @property {boolean} [quiet] keep the output, and show it only where the command fails
 * @property {number} [limitMs] end the command, as failed, after this long; default never
 */

/**
 * Runs a script with Node in the project's folder, showing its output.
 *
 * @param {string} script
 * @param {readonly string[]} args
 * @param {RunOptions} [options]
 * @returns {Promise<number>} the exit code; 1 where a signal ended it
 */
export function runNode(script, args, options = {}) {
  return run(process.execPath, [script, ...args], options);
}

/**
 * Runs npm, the one that runs this script where there is one.
 *
 * @param {readonly string[]} args
 * @param {RunOptions} [options]
 * @returns {Promise<number>}
 */
export function runNpm(args, options = {}) {
  const script = process.env["npm_execpath"];
  return script?.endsWith(".js") ? runNode(script, args, options) : run("npm", args, options);
}

/**
 * @param {string} command
 * @param {readonly string[]} args
 * @param {RunOptions} options
 * @returns {Promise<number>}
 */
function run(command, args, { env = {}, quiet = false, limitMs }) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd: projectDir,
      env: { ...process.env, ...env },
      stdio: quiet ? ["ignore", "pipe", "pipe"] : ["ignore", "inherit", "inherit"],
    });
    /** @type {Buffer[]} */
    const output = [];
    child.stdout?.on("data", (chunk) => output.push(chunk));
    child.stderr?.on("data", (chunk) => output.push(chunk));
    const limit = limitMs === undefined ? undefined : setTimeout(stop, limitMs);
    function stop() {
      console.error(`Ended after ${Number(limitMs) / 60_000} minutes, its limit.`);
      child.kill("SIGTERM");
      setTimeout(() => child.kill("SIGKILL"), graceMs).unref();
    }
    child.once("error", reject);
    child.once("close", (code) => {
      clearTimeout(limit);
      if (code !== 0) process.stderr.write(Buffer.concat(output));
      resolve(code ?? 1);
    });
  });
}
