import { writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, relative } from "node:path";
import { build } from "vite";

/**
 * @typedef {object} Worker
 * @property {string} entry its source
 * @property {Record<string, string>} objects its Durable Objects: class by binding
 * @property {Record<string, string>} [variables]
 * @property {string} compatibilityDate
 */

/** The binary that wrangler runs as well. */
export function workerdBinary() {
  const found = createRequire(import.meta.url)("workerd");
  /** @type {string} */
  const path = found.default ?? found;
  return path;
}

/**
 * Bundles a Worker into one module.
 *
 * @param {string} entry
 * @param {string} outDir
 * @returns {Promise<string>} the module's path
 */
export async function bundleWorker(entry, outDir) {
  await build({
    configFile: false,
    logLevel: "warn",
    resolve: { conditions: ["workerd", "worker", "browser"] },
    ssr: { target: "webworker", noExternal: true },
    build: {
      ssr: entry,
      outDir,
      emptyOutDir: true,
      target: "es2022",
      minify: false,
      rollupOptions: { external: [/^cloudflare:/, /^node:/], output: { entryFileNames: "worker.js" } },
    },
  });
  return join(outDir, "worker.js");
}

/**
 * Writes the configuration with which workerd serves a bundled Worker, its objects' SQLite on disk.
 *
 * @param {string} path
 * @param {Worker & { bundle: string, stateDir: string, port: number }} options
 */
export function writeWorkerdConfig(
  path,
  { bundle, stateDir, port, objects, variables = {}, compatibilityDate },
) {
  const text = JSON.stringify;
  const namespaces = Object.values(objects).map(
    (name) => `(className = ${text(name)}, uniqueKey = ${text(name)}, enableSql = true)`,
  );
  const bindings = [
    ...Object.entries(objects).map(
      ([binding, name]) => `(name = ${text(binding)}, durableObjectNamespace = ${text(name)})`,
    ),
    ...Object.entries(variables).map(([name, value]) => `(name = ${text(name)}, text = ${text(value)})`),
  ];
  const config = `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "main", worker = .worker), (name = "disk", disk = (path = ${text(stateDir)}, writable = true))],
  sockets = [(name = "http", address = "127.0.0.1:${port}", http = (), service = "main")]
);
const worker :Workerd.Worker = (
  modules = [(name = "worker.js", esModule = embed ${text(relative(join(path, ".."), bundle))})],
  compatibilityDate = ${text(compatibilityDate)},
  compatibilityFlags = ["nodejs_compat"],
  durableObjectNamespaces = [${namespaces.join(", ")}],
  durableObjectStorage = (localDisk = "disk"),
  bindings = [${bindings.join(", ")}]
);
`;
  writeFileSync(path, config);
}
