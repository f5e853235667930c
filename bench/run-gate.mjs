import { loadBench } from "./load.mjs";

const { main } = await loadBench("gate");
main();
