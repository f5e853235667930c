import { bundleWorker } from "./lib/bundle-worker.mjs";
import { projectDir } from "./lib/doors.mjs";

const outFile = `${projectDir}deploy/relay/worker.js`;

await bundleWorker({ entry: `${projectDir}deploy/worker.ts`, outFile });
console.log(`The relay for your own machine is in ${outFile}; docs/deploy.md says how to run it.`);
