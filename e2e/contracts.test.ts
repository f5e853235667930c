import { expect } from "@playwright/test";
import type { ContractSuite } from "./harness/contracts.ts";
import { test } from "./support/fixtures.ts";

const suites: readonly ContractSuite[] = [
  "references in memory",
  "references in IndexedDB",
  "references at the relay",
  "references in layers",
  "databases in memory",
  "databases in IndexedDB",
];
/** So that an empty suite is no success. */
const leastCases = 10;

/** Broken stores, and the rule that must notice. */
const broken: readonly (readonly [suite: ContractSuite, rule: string])[] = [
  ["a store that never deletes", "REF-4"],
  ["databases with locks for everyone", "STORE-14"],
];

for (const suite of suites) {
  test(`E2E-16: ${suite} keep to their contract in a page`, async ({ newPage, relay, room }) => {
    const page = await newPage();
    const results = await page.evaluate((given) => harness.runContract(given.suite, given.references), {
      suite,
      references: `${relay.url}/v1/rooms/${room}/refs`,
    });
    expect(results.filter(({ failure }) => failure !== undefined)).toEqual([]);
    expect(results.length).toBeGreaterThanOrEqual(leastCases);
  });
}

for (const [suite, rule] of broken) {
  test(`E2E-16 negative control: ${suite} is found out in a page`, async ({ newPage }) => {
    const page = await newPage();
    const results = await page.evaluate((name) => harness.runContract(name, ""), suite);
    const failed = results.filter(({ failure }) => failure !== undefined);
    expect(failed.map(({ id }) => id)).toContain(rule);
    expect(failed.length).toBeLessThan(results.length);
  });
}
