import { readArguments, readPort } from "./lib/arguments.mjs";
import { projectDir } from "./lib/doors.mjs";
import { isPortTaken } from "./lib/ports.mjs";
import { quietEnvironment } from "./lib/quiet-environment.mjs";
import { portTakenMessage } from "./lib/relay-process.mjs";
import { createService, exitWithFailure, printBlock } from "./lib/serve.mjs";

const help = `Serves the demo and its relay with hot reload; rooms are kept in .flockstate.

Usage: npm run dev -- [--port N]

  --port N   port to serve on (default: $PORT, else 8787)`;

const service = createService();
const options = readArguments(["port"], help);
const port = readPort(options.port ?? process.env["PORT"] ?? "8787", help);
if (await isPortTaken(port)) exitWithFailure(portTakenMessage(port));

// Before Vite is loaded, since the relay's runtime reads its environment then.
Object.assign(process.env, quietEnvironment(`${projectDir}.flockstate`));
const { createServer } = await import("vite");
const server = await createServer({ configFile: `${projectDir}vite.config.ts`, server: { port } });
await server.listen();
service.isReady({ release: () => server.close() });
printBlock("flockstate is at work, with hot reload.", [`Demo and relay   http://localhost:${port}`]);
