import { basename } from "node:path";
import { pathToFileURL } from "node:url";
import { build } from "vite";
import { projectDir } from "../scripts/lib/doors.mjs";

/** Builds a benchmark of this folder, `entry` being its path from here without `.ts`; returns the path of its module. */
export async function buildBench(entry) {
  const outDir = `${projectDir}node_modules/.bench/${entry}`;
  await build({
    configFile: false,
    logLevel: "warn",
    root: projectDir,
    build: { ssr: `bench/${entry}.ts`, outDir, target: "node20" },
  });
  return `${outDir}/${basename(entry)}.js`;
}

/** Builds a benchmark and loads it. */
export async function loadBench(entry) {
  return import(pathToFileURL(await buildBench(entry)).href);
}
