import { rmSync } from "node:fs";
import { projectDir } from "./lib/doors.mjs";
import { commandPath, runNode } from "./lib/run.mjs";

rmSync(`${projectDir}dist`, { recursive: true, force: true });
// Browsers last: what several emit must come out as the compilation for them has it.
for (const project of ["tsconfig.build.edge.json", "tsconfig.build.node.json", "tsconfig.build.json"]) {
  const exitCode = await runNode(commandPath("typescript", "tsc"), ["-p", project]);
  if (exitCode !== 0) process.exit(exitCode);
}
