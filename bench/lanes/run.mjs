import { loadBench } from "../load.mjs";

const { main } = await loadBench("lanes/main");
await main();
