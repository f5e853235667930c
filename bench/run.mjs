import { pathToFileURL } from "node:url";
import { build } from "vite";
import { projectDir } from "../scripts/lib/doors.mjs";
import { startRelay } from "../scripts/lib/relay-process.mjs";

const outDir = `${projectDir}node_modules/.bench`;
await build({
  configFile: false,
  logLevel: "warn",
  root: projectDir,
  build: { ssr: "bench/main.ts", outDir, target: "node20" },
});
const { main } = await import(pathToFileURL(`${outDir}/main.js`).href);
await main(startRelay);
