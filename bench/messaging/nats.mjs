import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { findFreePort, isPortTaken } from "../../scripts/lib/ports.mjs";

const startLimitMs = 10_000;
const pollMs = 25;
const nanosecondsPerSecond = 1_000_000_000;
/** Messages that JetStream may hold back until they are acknowledged. */
const maxAckPending = 4_096;

/**
 * What main.ts measures: a sender and a receiver on connections of their own. What is handed over is an object, so that
 * JSON is paid for as by ours.
 *
 * @typedef {object} Peer
 * @property {(content: unknown) => unknown} send resolves, where there is storage, once the server has stored it
 * @property {(handler: (content: unknown) => void) => void} onMessage
 * @property {() => Promise<void>} close
 */

/**
 * Starts a nats-server with JetStream on this machine's disk; undefined, with the reason said, where there is none or
 * nats.js is not installed.
 */
export async function startNats() {
  if (spawnSync("nats-server", ["--version"]).error) {
    console.log("\nNo nats-server on this machine: its figures are left out.");
    return undefined;
  }
  const library = await loadLibrary();
  if (!library) {
    console.log("\nnats.js is not installed in bench/messaging: its figures are left out.");
    return undefined;
  }
  const port = await findFreePort();
  const folder = mkdtempSync(join(tmpdir(), "flockstate-bench-nats-"));
  const child = spawn(
    "nats-server",
    ["--addr", "127.0.0.1", "--port", String(port), "--jetstream", "--store_dir", folder],
    { stdio: "ignore" },
  );
  const kill = () => void child.kill("SIGKILL");
  process.once("exit", kill);
  for (const limit = Date.now() + startLimitMs; !(await isPortTaken(port)); await sleep(pollMs)) {
    if (Date.now() > limit) throw new Error(`nats-server did not listen within ${startLimitMs / 1000} s.`);
  }
  const options = { servers: `127.0.0.1:${port}` };
  let subjects = 0;

  return {
    /** Publish and subscribe; nothing is stored. @returns {Promise<Peer>} */
    async openCore() {
      const [from, to] = [await library.connect(options), await library.connect(options)];
      const subject = `core.${subjects++}`;
      return {
        send: (content) => from.publish(subject, JSON.stringify(content)),
        onMessage(handler) {
          to.subscribe(subject, { callback: (_, message) => handler(message.json()) });
        },
        close: () => closeBoth(from, to),
      };
    },
    /** A stream on disk, whose server acknowledges each message, and a consumer that does. @returns {Promise<Peer>} */
    async openJetStream() {
      const [from, to] = [await library.connect(options), await library.connect(options)];
      const name = `bench-${subjects++}`;
      const subject = `stored.${name}`;
      const manager = await library.jetstreamManager(from);
      await manager.streams.add({ name, subjects: [subject], storage: "file" });
      await manager.consumers.add(name, {
        durable_name: "reader",
        ack_policy: "explicit",
        ack_wait: 30 * nanosecondsPerSecond,
        max_ack_pending: maxAckPending,
      });
      const publisher = library.jetstream(from);
      const consumer = await library.jetstream(to).consumers.get(name, "reader");
      return {
        send: (content) => publisher.publish(subject, JSON.stringify(content)),
        onMessage(handler) {
          void consumer.consume({
            max_messages: maxAckPending,
            callback(message) {
              handler(message.json());
              message.ack();
            },
          });
        },
        async close() {
          await manager.streams.delete(name);
          await closeBoth(from, to);
        },
      };
    },
    /** A request and its reply; `request` resolves with the reply. */
    async openService() {
      const [from, to] = [await library.connect(options), await library.connect(options)];
      const subject = `service.${subjects++}`;
      to.subscribe(subject, {
        callback(_, message) {
          message.json();
          message.respond("1");
        },
      });
      await to.flush();
      return {
        /** @param {unknown} content */
        request: async (content) => (await from.request(subject, JSON.stringify(content))).json(),
        close: () => closeBoth(from, to),
      };
    },
    close() {
      kill();
      process.removeListener("exit", kill);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** @param {{ close(): Promise<void> }[]} connections */
async function closeBoth(...connections) {
  for (const connection of connections) await connection.close();
}

async function loadLibrary() {
  try {
    const [{ connect }, { jetstream, jetstreamManager }] = await Promise.all([
      import("@nats-io/transport-node"),
      import("@nats-io/jetstream"),
    ]);
    return { connect, jetstream, jetstreamManager };
  } catch {
    // Whoever measures is told that it is not installed.
    return undefined;
  }
}
