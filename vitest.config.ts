import { cloudflareTest } from "@cloudflare/vitest-pool-workers";
import { defineConfig } from "vitest/config";
import { doorAliases } from "./scripts/lib/doors.mjs";

const resolve = { alias: doorAliases() };

export default defineConfig({
  test: {
    projects: [
      {
        resolve,
        test: {
          name: "node",
          include: ["test/**/*.test.ts"],
          exclude: ["test/edge/**"],
          environment: "node",
          testTimeout: 60_000,
        },
      },
      {
        resolve,
        plugins: [
          cloudflareTest({
            wrangler: { configPath: "./wrangler.toml" },
            miniflare: {
              // A fixture, because the demo need not be built for these tests.
              assets: { directory: "./test/edge/assets", binding: "ASSETS" },
              bindings: { FLOCKSTATE_DEVELOPMENT: "1" },
            },
          }),
        ],
        test: {
          name: "workerd",
          include: ["test/edge/**/*.test.ts"],
          testTimeout: 60_000,
        },
      },
    ],
  },
});
