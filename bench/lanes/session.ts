import { buildHistory, openHistory } from "./history.ts";

const [task, directory = "", count] = process.argv.slice(2);
if (task === "build") await buildHistory(directory, Number(count));
else process.stdout.write(JSON.stringify(await openHistory(directory)));
