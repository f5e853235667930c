import { buildHistory, openHistory } from "./history.ts";
import { liveBytes } from "./memory.ts";

// A process of its own for each measurement that others would disturb; it prints JSON.
const [task, directory = "", count] = process.argv.slice(2);
if (task === "build") await buildHistory(directory, Number(count));
else console.log(JSON.stringify(task === "open" ? await openHistory(directory) : await liveBytes()));
