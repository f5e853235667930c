import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { relayVersion } from "../../src/edge/version.ts";

test("HTTP-4: the version that /health tells is the package's", () => {
  const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
  expect(relayVersion).toBe(version);
});
