import { buildBench, loadBench } from "../load.mjs";

const session = await buildBench("lanes/session");
const { main } = await loadBench("lanes/main");
await main(session);
