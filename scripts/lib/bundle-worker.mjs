import { basename, dirname } from "node:path";
import { build } from "vite";
import { projectDir } from "./doors.mjs";

/**
 * Bundles a Worker and all that it imports into one module, as workerd takes it.
 *
 * @param {{ entry: string, outFile: string }} options both absolute
 * @returns {Promise<void>}
 */
export async function bundleWorker({ entry, outFile }) {
  await build({
    root: projectDir,
    configFile: false,
    logLevel: "warn",
    ssr: { noExternal: true, target: "webworker" },
    build: {
      ssr: entry,
      outDir: dirname(outFile),
      emptyOutDir: false,
      target: "es2022",
      minify: false,
      rolldownOptions: { output: { entryFileNames: basename(outFile) } },
    },
  });
}
