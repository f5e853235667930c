import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build, preview } from "vite";
import { doorAliases, projectDir } from "../../scripts/lib/doors.mjs";

/** A built page, served apart from any relay. */
export interface Site {
  readonly url: string;
  close(): Promise<void>;
}

/** Builds the harness into a folder of its own and serves it on a free port. */
export async function serveHarness(): Promise<Site> {
  const outDir = await mkdtemp(join(tmpdir(), "flockstate-e2e-site-"));
  const common = { configFile: false, root: `${projectDir}e2e/harness`, logLevel: "warn" } as const;
  await build({
    ...common,
    resolve: { alias: doorAliases(), dedupe: ["yjs"] },
    build: { outDir, emptyOutDir: true, target: "es2022" },
  });
  const server = await preview({ ...common, build: { outDir }, preview: { port: 0, host: "localhost" } });
  const [url] = server.resolvedUrls?.local ?? [];
  if (url === undefined) throw new Error("The harness is not served: no local address.");
  return {
    url,
    async close() {
      await server.close();
      await rm(outDir, { recursive: true, force: true });
    },
  };
}
