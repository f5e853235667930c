import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import {
  addCounts,
  noCounts,
  readPlaywrightCounts,
  readVitestCounts,
  summarise,
} from "../../scripts/lib/test-counts.mjs";

const folder = mkdtempSync(join(tmpdir(), "flockstate-counts-"));
afterAll(() => rmSync(folder, { recursive: true }));

function report(content: object): string {
  const path = join(folder, "report.json");
  writeFileSync(path, JSON.stringify(content));
  return path;
}

const vitestReport = (passed: number, failed: number) =>
  report({ numPassedTests: passed, numFailedTests: failed, numPendingTests: 1, numTodoTests: 1 });

describe("the count of a test run", () => {
  it("RUN-1 adds the stages up and names the skipped where there are any", () => {
    const total = addCounts({ passed: 3, failed: 0, skipped: 0 }, { passed: 2, failed: 1, skipped: 0 });
    expect(summarise(total)).toBe("5 passed, 1 failed");
    expect(summarise({ ...total, skipped: 4 })).toBe("5 passed, 1 failed, 4 skipped");
  });

  it("RUN-1 reads vitest's report and Playwright's; a flaky test has failed", () => {
    expect(readVitestCounts(vitestReport(7, 2), 1)).toEqual({ passed: 7, failed: 2, skipped: 2 });
    const stats = { expected: 4, unexpected: 1, flaky: 1, skipped: 1 };
    expect(readPlaywrightCounts(report({ stats }), 1)).toEqual({ passed: 4, failed: 2, skipped: 1 });
  });

  it("RUN-2 is never without failure when a stage broke off, ran nothing, or left no report", () => {
    expect(readVitestCounts(vitestReport(7, 0), 1)).toMatchObject({ passed: 7, failed: 1 });
    expect(readVitestCounts(vitestReport(0, 0), 0).failed).toBe(1);
    expect(readPlaywrightCounts(join(folder, "absent.json"), 0)).toEqual({ ...noCounts, failed: 1 });
  });

  it("RUN-2 control: a stage that ran and ended well adds no failure", () => {
    expect(readVitestCounts(vitestReport(7, 0), 0)).toMatchObject({ passed: 7, failed: 0 });
  });
});
