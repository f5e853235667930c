import { spawn } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, relative, resolve, sep } from "node:path";
import { createInterface } from "node:readline";
import { projectDir } from "./doors.mjs";

const keptLines = 60;
/** Asked to end, the runtime waits for as long as sockets are open. */
const stopLimitMs = 5_000;
const controlDescriptor = 3;

/**
 * @typedef {object} WorkerdOptions
 * @property {string} module the bundled Worker, which exports `RoomObject`
 * @property {string} persistDir where the rooms are kept; made where it is absent
 * @property {readonly string[]} [objects] the bindings of Durable Objects; default all that wrangler.toml names
 * @property {Record<string, string>} [bindings] texts in the Worker's environment
 * @property {(line: string) => void} [log] is given each line that the Worker or the runtime prints, at once
 */

/**
 * @typedef {object} WorkerdProcess
 * @property {string} url `http://127.0.0.1:<port>`
 * @property {number} port
 * @property {number} pid
 * @property {(signal?: "SIGTERM" | "SIGKILL") => Promise<void>} kill ends the process and all that it started, by force after 5 s; settles once it has ended
 * @property {Promise<void>} stopped settles when the process has ended, for whatever reason
 */

/**
 * Runs the relay on the bare runtime, without wrangler and without a bucket: ready in well under 100 ms, its
 * rooms in SQLite files that survive any end of it.
 *
 * @param {WorkerdOptions} options
 * @returns {Promise<WorkerdProcess>}
 */
export async function startWorkerd({ module, persistDir, objects, bindings = {}, log = () => {} }) {
  const roomsDir = join(resolve(persistDir), "rooms");
  mkdirSync(roomsDir, { recursive: true });
  const configFile = join(resolve(persistDir), "relay.capnp");
  const modulePath = relativePath(persistDir, module);
  writeFileSync(configFile, configOf({ modulePath, roomsDir, objects, bindings }));

  const child = spawn(workerdPath(), ["serve", configFile, `--control-fd=${controlDescriptor}`], {
    stdio: ["ignore", "pipe", "pipe", "pipe"],
    // A group of its own, so that a signal reaches whatever the runtime starts.
    detached: process.platform !== "win32",
  });
  /** @type {string[]} */
  const lines = [];
  /** @param {string} line */
  const note = (line) => {
    lines.push(line);
    lines.splice(0, lines.length - keptLines);
    log(line);
  };
  for (const stream of [child.stdout, child.stderr]) {
    if (stream) createInterface({ input: stream }).on("line", note);
  }

  /** @param {"SIGTERM" | "SIGKILL"} signal */
  const end = (signal) => {
    try {
      if (child.pid !== undefined)
        process.kill(process.platform === "win32" ? child.pid : -child.pid, signal);
    } catch {
      // The group has ended already, which is what the caller wants.
    }
  };
  const endWithUs = () => end("SIGKILL");
  process.once("exit", endWithUs);
  /** @type {Promise<void>} */
  const stopped = new Promise((settle) => {
    child.once("error", (failure) => {
      note(String(failure));
      settle();
    });
    child.once("exit", () => settle());
  });
  void stopped.then(() => process.removeListener("exit", endWithUs));

  const control = /** @type {import("node:stream").Readable} */ (child.stdio[controlDescriptor]);
  const port = await Promise.race([portFrom(control), stopped]);
  if (port === undefined)
    throw new Error(`workerd ended before it listened. It printed:\n${lines.join("\n")}`);
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    pid: Number(child.pid),
    stopped,
    async kill(signal = "SIGTERM") {
      end(signal);
      const force = setTimeout(() => end("SIGKILL"), stopLimitMs);
      await stopped;
      clearTimeout(force);
    },
  };
}

/**
 * The first `listen` message that the runtime sends on its control descriptor.
 *
 * @param {import("node:stream").Readable} control
 * @returns {Promise<number>}
 */
function portFrom(control) {
  return new Promise((settle) => {
    createInterface({ input: control }).on("line", (line) => {
      /** @type {{ event: string, port?: number }} */
      const message = JSON.parse(line);
      if (message.event === "listen" && message.port !== undefined) settle(message.port);
    });
  });
}

/**
 * The runtime that wrangler runs, so that tests and `wrangler dev` are of one version.
 *
 * @returns {string}
 */
function workerdPath() {
  /** @type {{ default: string }} */
  const workerd = createRequire(`${projectDir}node_modules/wrangler/package.json`)("workerd");
  return workerd.default;
}

/**
 * @param {string} from
 * @param {string} to
 */
function relativePath(from, to) {
  return relative(resolve(from), resolve(to)).split(sep).join("/");
}

/**
 * The settings of the runtime, in the text form of `workerd.capnp`: what `wrangler.toml` says, less bucket and page.
 *
 * @param {{ modulePath: string, roomsDir: string, objects: readonly string[] | undefined, bindings: Record<string, string> }} options
 * @returns {string}
 */
function configOf({ modulePath, roomsDir, objects: wanted, bindings }) {
  const text = JSON.stringify;
  const wrangler = readFileSync(`${projectDir}wrangler.toml`, "utf8");
  const [, date] = /^compatibility_date = "(.+)"$/m.exec(wrangler) ?? [];
  if (date === undefined) throw new Error("wrangler.toml names no compatibility_date.");
  const objectPattern = /^\[\[durable_objects\.bindings\]\]\nname = "(.+)"\nclass_name = "(.+)"$/gm;
  const objects = [...wrangler.matchAll(objectPattern)]
    .map(([, name = "", type = ""]) => ({ name, type }))
    .filter(({ name }) => wanted?.includes(name) ?? true);
  const environment = [
    ...objects.map(({ name, type }) => `(name = ${text(name)}, durableObjectNamespace = ${text(type)})`),
    ...Object.entries(bindings).map(([name, value]) => `(name = ${text(name)}, text = ${text(value)})`),
  ];
  const namespaces = objects.map(
    ({ type }) => `(className = ${text(type)}, uniqueKey = ${text(`flockstate-${type}`)}, enableSql = true)`,
  );
  return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "relay", worker = .relay),
    (name = "rooms", disk = (path = ${text(roomsDir)}, writable = true)),
  ],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "relay")],
);
const relay :Workerd.Worker = (
  modules = [(name = "worker", esModule = embed ${text(modulePath)})],
  compatibilityDate = ${text(date)},
  bindings = [${environment.join(", ")}],
  durableObjectNamespaces = [${namespaces.join(", ")}],
  durableObjectStorage = (localDisk = "rooms"),
);
`;
}
