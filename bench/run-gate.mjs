import { pathToFileURL } from "node:url";
import { build } from "vite";
import { projectDir } from "../scripts/lib/doors.mjs";

const outDir = `${projectDir}node_modules/.bench-gate`;
await build({
  configFile: false,
  logLevel: "warn",
  root: projectDir,
  build: { ssr: "bench/gate.ts", outDir, target: "node20" },
});
const { main } = await import(pathToFileURL(`${outDir}/gate.js`).href);
main();
