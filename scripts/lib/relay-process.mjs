import { spawn, spawnSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { projectDir } from "./doors.mjs";
import { findFreePort, isPortTaken } from "./ports.mjs";
import { quietEnvironment } from "./quiet-environment.mjs";
import { commandPath } from "./run.mjs";

const startLimitMs = 60_000;
const stopLimitMs = 5_000;
const pollMs = 50;
const keptLines = 60;

/** Settings under which a relay asks for no tokens, and serves its own machine alone; no deployment has them. */
export const developmentVariables = Object.freeze({ FLOCKSTATE_DEVELOPMENT: "1" });

/**
 * @typedef {object} RelayOptions
 * @property {number} [port] default: one that is free
 * @property {string} persistDir where the relay keeps its rooms; made where it is absent
 * @property {string} [script] entry of the Worker; default the one that wrangler.toml names
 * @property {string} [assets] folder of the page to serve beside the relay; default none
 * @property {Record<string, string>} [variables] the relay's settings; default those of development mode
 * @property {(line: string) => void} [log] is given what the relay prints
 */

/**
 * @typedef {object} RelayProcess
 * @property {string} url `http://localhost:<port>`
 * @property {number} port
 * @property {(signal?: "SIGTERM" | "SIGKILL") => Promise<void>} kill ends the relay, by force after 5 s, and settles once its port is free
 * @property {Promise<void>} stopped settles when the relay has ended, for whatever reason
 */

/**
 * Starts the relay as a process group of its own, and waits until it answers.
 * Stopping it writes nothing and asks nothing of the network; it is also stopped when this process exits.
 *
 * @param {RelayOptions} options
 * @returns {Promise<RelayProcess>}
 */
export async function startRelay({
  port: wanted,
  persistDir,
  script,
  assets,
  variables = developmentVariables,
  log = () => {},
}) {
  const port = wanted ?? (await findFreePort());
  if (await isPortTaken(port)) throw new Error(portTakenMessage(port));
  const stateDir = resolve(persistDir);
  const assetsDir = assets === undefined ? join(stateDir, "no-assets") : resolve(assets);
  mkdirSync(assetsDir, { recursive: true });

  const child = spawn(process.execPath, relayArguments({ port, stateDir, script, assetsDir, variables }), {
    cwd: projectDir,
    env: { ...process.env, ...quietEnvironment(stateDir) },
    stdio: ["ignore", "pipe", "pipe"],
    // A group of its own: the launcher starts workerd, which outlives a signal to the launcher alone.
    detached: process.platform !== "win32",
  });
  /** @type {string[]} */
  const lines = [];
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (/** @type {string} */ text) => {
      for (const line of text.split("\n").filter((each) => each.trim() !== "")) {
        lines.push(line);
        log(line);
      }
      lines.splice(0, lines.length - keptLines);
    });
  }

  const exitWithUs = () => signalGroup(child.pid, "SIGKILL");
  process.once("exit", exitWithUs);
  let ended = false;
  /** @type {Promise<void>} */
  const stopped = new Promise((settle) => {
    const end = () => {
      ended = true;
      process.removeListener("exit", exitWithUs);
      settle();
    };
    child.once("exit", end);
    child.once("error", (failure) => {
      lines.push(String(failure));
      end();
    });
  });

  /** @type {RelayProcess["kill"]} */
  async function kill(signal = "SIGTERM") {
    for (const step of new Set([signal, /** @type {const} */ ("SIGKILL")])) {
      signalGroup(child.pid, step);
      for (const limit = Date.now() + stopLimitMs; Date.now() < limit; await sleep(pollMs)) {
        if (ended && !(await isPortTaken(port))) return;
      }
    }
  }

  const url = `http://localhost:${port}`;
  for (const limit = Date.now() + startLimitMs; !(await answers(url)); await sleep(pollMs)) {
    if (!ended && Date.now() < limit) continue;
    const reason = ended ? "ended before it answered" : `did not answer within ${startLimitMs / 1000} s`;
    await kill("SIGKILL");
    throw new Error(`The relay on port ${port} ${reason}. It printed:\n${lines.join("\n") || "(nothing)"}`);
  }
  return { url, port, kill, stopped };
}

/**
 * What to tell a person whose port is taken.
 *
 * @param {number} port
 * @returns {string}
 */
export function portTakenMessage(port) {
  return `Port ${port} is in use by another program. Stop that program, or choose another port with --port N.`;
}

/**
 * @param {{
 *   port: number,
 *   stateDir: string,
 *   script: string | undefined,
 *   assetsDir: string,
 *   variables: Record<string, string>,
 * }} options
 * @returns {string[]}
 */
function relayArguments({ port, stateDir, script, assetsDir, variables }) {
  const options = {
    port,
    "persist-to": stateDir,
    assets: assetsDir,
    "log-level": "warn",
    "inspector-port": 0,
  };
  return [
    commandPath("wrangler"),
    "dev",
    ...(script === undefined ? [] : [script]),
    "--show-interactive-dev-session=false",
    ...Object.entries(variables).flatMap(([name, value]) => ["--var", `${name}:${value}`]),
    ...Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]),
  ];
}

/**
 * @param {string} url
 * @returns {Promise<boolean>}
 */
async function answers(url) {
  try {
    const response = await fetch(`${url}/health`);
    await response.body?.cancel();
    return response.ok;
  } catch {
    // Nothing listens yet: the caller asks again until its limit.
    return false;
  }
}

/**
 * @param {number | undefined} pid
 * @param {"SIGTERM" | "SIGKILL"} signal
 */
function signalGroup(pid, signal) {
  if (pid === undefined) return;
  if (process.platform === "win32") {
    spawnSync("taskkill", ["/pid", String(pid), "/T", "/F"]);
    return;
  }
  try {
    process.kill(-pid, signal);
  } catch {
    // The group has ended already, which is what the caller wants.
  }
}
