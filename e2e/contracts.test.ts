import { expect } from "@playwright/test";
import type { ContractSuite } from "./harness/contracts.ts";
import { test } from "./support/fixtures.ts";

const suites: readonly ContractSuite[] = [
  "references in memory",
  "references in IndexedDB",
  "references at the relay",
  "references in layers",
];
/** So that an empty suite is no success. */
const leastCases = 20;

for (const suite of suites) {
  test(`E2E-16: ${suite} hold to their contract in a page`, async ({ newPage, relay, room }) => {
    const page = await newPage();
    const results = await page.evaluate((given) => harness.runContract(given.suite, given.references), {
      suite,
      references: `${relay.url}/v1/rooms/${room}/refs`,
    });
    expect(results.filter(({ failure }) => failure !== undefined)).toEqual([]);
    expect(results.length).toBeGreaterThanOrEqual(leastCases);
  });
}

test("E2E-16 negative control: a store that breaks the contract in a page is found out", async ({
  newPage,
}) => {
  const page = await newPage();
  const results = await page.evaluate(() => harness.runContract("a store that never deletes", ""));
  const broken = results.filter(({ failure }) => failure !== undefined);
  expect(new Set(broken.map(({ id }) => id))).toContain("REF-4");
  expect(broken.length).toBeLessThan(results.length);
});
