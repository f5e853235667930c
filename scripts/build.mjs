import { rmSync } from "node:fs";
import { projectDir } from "./lib/doors.mjs";
import { commandPath, runNode } from "./lib/run.mjs";

rmSync(`${projectDir}dist`, { recursive: true, force: true });
// The edge first: what both emit must come out as the compilation for browsers has it.
for (const project of ["tsconfig.build.edge.json", "tsconfig.build.json"]) {
  const exitCode = await runNode(commandPath("typescript", "tsc"), ["-p", project]);
  if (exitCode !== 0) process.exit(exitCode);
}
