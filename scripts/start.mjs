import { readArguments, readPort } from "./lib/arguments.mjs";
import { projectDir } from "./lib/doors.mjs";
import { isPortTaken } from "./lib/ports.mjs";
import { portTakenMessage, startRelay } from "./lib/relay-process.mjs";
import { commandPath, runNode } from "./lib/run.mjs";
import { createService, exitWithFailure, printBlock } from "./lib/serve.mjs";

const help = `Builds the demo and serves it with its relay; rooms are kept in .flockstate.

Usage: npm start -- [--port N]

  --port N   port to serve on (default: $PORT, else 8787)`;

const service = createService();
const options = readArguments(["port"], help);
const port = readPort(options.port ?? process.env["PORT"] ?? "8787", help);
if (await isPortTaken(port)) exitWithFailure(portTakenMessage(port));

console.log("Building the demo …");
const built = await runNode(commandPath("vite"), ["build"], { quiet: true });
if (built !== 0) exitWithFailure("The demo could not be built; what the build printed stands above.");

console.log("Starting the relay …");
const stateDir = `${projectDir}.flockstate`;
const relay = await startRelay({
  port,
  persistDir: stateDir,
  assets: `${projectDir}demo/dist`,
  log: console.error,
}).catch(exitWithFailure);
service.isReady({ release: relay.kill, stopped: relay.stopped });
printBlock("flockstate is at work.", [
  `Demo and relay   ${relay.url}`,
  `Rooms kept in    ${stateDir}`,
  "Open the address in two browsers to see a flock share the work.",
]);
