import { basename } from "node:path";
import { pathToFileURL } from "node:url";
import { build } from "vite";
import { projectDir } from "../scripts/lib/doors.mjs";

/** Builds a benchmark of this folder, `entry` being its path from here without `.ts`, and loads it. */
export async function loadBench(entry) {
  const outDir = `${projectDir}node_modules/.bench/${entry}`;
  await build({
    configFile: false,
    logLevel: "warn",
    root: projectDir,
    build: { ssr: `bench/${entry}.ts`, outDir, target: "node20" },
  });
  return import(pathToFileURL(`${outDir}/${basename(entry)}.js`).href);
}
