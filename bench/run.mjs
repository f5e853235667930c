import { startRelay } from "../scripts/lib/relay-process.mjs";
import { loadBench } from "./load.mjs";

const { main } = await loadBench("main");
await main(startRelay);
