import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, it } from "vitest";

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));

it("TYPE-1: what must compile does, and what must not does not", async () => {
  const compiler = path("../../node_modules/typescript/bin/tsc");
  const checked = await promisify(execFile)(process.execPath, [compiler, "-p", path(".")]).catch(
    (failure: { stdout: string }) => failure,
  );
  expect(checked.stdout).toBe("");
});
