import { cloudflare } from "@cloudflare/vite-plugin";
import { defineConfig } from "vite";
import { doorAliases, projectDir } from "./scripts/lib/doors.mjs";
import { developmentVariables } from "./scripts/lib/relay-process.mjs";

// The relay runs inside Vite for `npm run dev` only; a build is the static page, which the relay serves as its assets.
export default defineConfig(({ command }) => ({
  root: `${projectDir}demo`,
  resolve: { alias: doorAliases(), dedupe: ["yjs"] },
  build: { outDir: "dist", emptyOutDir: true, target: "es2022" },
  server: { port: 8787, strictPort: true },
  plugins:
    command === "serve"
      ? [
          cloudflare({
            configPath: `${projectDir}wrangler.toml`,
            persistState: { path: `${projectDir}.flockstate` },
            inspectorPort: false,
            config: { vars: { ...developmentVariables } },
          }),
        ]
      : [],
}));
