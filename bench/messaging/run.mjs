import { developmentVariables, startRelay } from "../../scripts/lib/relay-process.mjs";
import { loadBench } from "../load.mjs";

const { main } = await loadBench("messaging/main");
await main({
  runs: Number(process.env["BENCH_RUNS"] ?? 3),
  parts: process.argv.slice(2),
  startRelay: ({ persistDir, limits }) =>
    startRelay({
      persistDir,
      variables: { ...developmentVariables, FLOCKSTATE_LIMITS: JSON.stringify(limits) },
    }),
});
process.exit(0);
