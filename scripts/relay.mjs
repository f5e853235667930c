import { resolve } from "node:path";
import { readArguments, readPort } from "./lib/arguments.mjs";
import { projectDir } from "./lib/doors.mjs";
import { startRelay } from "./lib/relay-process.mjs";
import { createService, exitWithFailure, printBlock } from "./lib/serve.mjs";

const help = `Runs the relay alone, without the demo.

Usage: npm run relay -- [--port N] [--persist DIR]

  --port N        port to serve on (default: $PORT, else 8787)
  --persist DIR   folder that keeps the rooms (default: .flockstate in the project)`;

const service = createService();
const options = readArguments(["port", "persist"], help);
const port = readPort(options.port ?? process.env["PORT"] ?? "8787", help);
const persistDir = resolve(options.persist ?? `${projectDir}.flockstate`);

const relay = await startRelay({ port, persistDir, log: console.error }).catch(exitWithFailure);
service.isReady({ release: relay.kill, stopped: relay.stopped });
printBlock("The relay is at work.", [`Address         ${relay.url}`, `Rooms kept in   ${persistDir}`]);
