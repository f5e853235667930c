import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { findFreePort, isPortTaken } from "../../scripts/lib/ports.mjs";
import { describeServers } from "./servers.mjs";
import { bundleWorker, workerdBinary, writeWorkerdConfig } from "./workerd.mjs";

const startLimitMs = 20_000;
const pollMs = 25;

/**
 * @typedef {object} RunningServer
 * @property {string} url `ws://127.0.0.1:<port>`
 * @property {number} pid the head of the server's process group
 * @property {() => Promise<void>} kill ends the whole group
 */

/**
 * Starts servers, each a process group of its own with a folder of its own; all of them end with this process.
 * `BENCH_LOG=1` shows what they print as errors.
 *
 * @param {string} tree the checkout whose relay is measured as ours
 */
export function createLauncher(tree) {
  const folder = mkdtempSync(join(tmpdir(), "flockstate-bench-relay-"));
  const servers = describeServers(tree);
  /** @type {Set<number>} */
  const groups = new Set();
  /** @type {Map<string, Promise<string>>} */
  const bundles = new Map();
  let started = 0;

  function close() {
    for (const pid of groups) signalGroup(pid);
    groups.clear();
    rmSync(folder, { recursive: true, force: true });
  }
  process.once("exit", close);
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.once(signal, () => process.exit(130));

  /**
   * @param {string} name
   * @returns {Promise<RunningServer | undefined>} undefined where this machine cannot run it
   */
  async function start(name) {
    const server = servers[name];
    if (!server) return undefined;
    const port = await findFreePort();
    const { file, args, env } =
      "worker" in server
        ? await workerdCommand(server.worker, port)
        : { file: server.program.command, args: [server.program.script], env: server.program.env };
    const child = spawn(file, args, {
      env: { ...process.env, PORT: String(port), ...env },
      stdio: ["ignore", "ignore", process.env["BENCH_LOG"] ? "inherit" : "ignore"],
      detached: true,
    });
    const { pid } = child;
    if (pid === undefined) throw new Error(`${file} could not be started.`);
    groups.add(pid);
    const ended = new Promise((resolve) => child.once("exit", resolve)).then(() => groups.delete(pid));
    for (const limit = Date.now() + startLimitMs; !(await isPortTaken(port)); await sleep(pollMs)) {
      if (groups.has(pid) && Date.now() < limit) continue;
      signalGroup(pid);
      throw new Error(
        `${name} did not listen within ${startLimitMs / 1000} s: BENCH_LOG=1 shows what it prints.`,
      );
    }
    return {
      url: `ws://127.0.0.1:${port}`,
      pid,
      async kill() {
        signalGroup(pid);
        await ended;
      },
    };
  }

  /**
   * @param {import("./workerd.mjs").Worker} worker
   * @param {number} port
   */
  async function workerdCommand(worker, port) {
    const bundle =
      bundles.get(worker.entry) ?? bundleWorker(worker.entry, join(folder, `worker-${bundles.size}`));
    bundles.set(worker.entry, bundle);
    const stateDir = join(folder, `state-${++started}`);
    mkdirSync(stateDir);
    const config = join(folder, `${started}.capnp`);
    writeWorkerdConfig(config, { ...worker, bundle: await bundle, stateDir, port });
    return { file: workerdBinary(), args: ["serve", config], env: {} };
  }

  return { start, close };
}

/** @param {number} pid */
function signalGroup(pid) {
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // The group has ended already, which is what the caller wants.
  }
}
