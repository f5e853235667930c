import { existsSync, readFileSync } from "node:fs";

/** @typedef {{ passed: number, failed: number, skipped: number }} Counts */

/** @type {Counts} */
export const noCounts = { passed: 0, failed: 0, skipped: 0 };

/**
 * Adds up two stages.
 *
 * @param {Counts} a
 * @param {Counts} b
 * @returns {Counts}
 */
export function addCounts(a, b) {
  return { passed: a.passed + b.passed, failed: a.failed + b.failed, skipped: a.skipped + b.skipped };
}

/**
 * The line that ends a run: `12 passed, 0 failed`, with the skipped where there are any.
 *
 * @param {Counts} counts
 * @returns {string}
 */
export function summarise({ passed, failed, skipped }) {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`;
}

/**
 * The counts in a report of vitest's `json` reporter.
 *
 * @param {string} path
 * @param {number} exitCode of the run that wrote it
 * @returns {Counts}
 */
export function readVitestCounts(path, exitCode) {
  const report = readReport(path);
  return settle(exitCode, {
    passed: count(report, "numPassedTests"),
    failed: count(report, "numFailedTests"),
    skipped: count(report, "numPendingTests") + count(report, "numTodoTests"),
  });
}

/**
 * The counts in a report of Playwright's `json` reporter. A test that passed only when retried has failed.
 *
 * @param {string} path
 * @param {number} exitCode of the run that wrote it
 * @returns {Counts}
 */
export function readPlaywrightCounts(path, exitCode) {
  const stats = readReport(path)["stats"];
  const report = typeof stats === "object" && stats !== null ? { ...stats } : {};
  return settle(exitCode, {
    passed: count(report, "expected"),
    failed: count(report, "unexpected") + count(report, "flaky"),
    skipped: count(report, "skipped"),
  });
}

/**
 * Counts one failure more for what no test reports: a file that does not load, a run that breaks off or runs nothing.
 *
 * @param {number} exitCode
 * @param {Counts} counts
 * @returns {Counts}
 */
function settle(exitCode, counts) {
  const unreported = counts.failed === 0 && (exitCode !== 0 || counts.passed === 0);
  return unreported ? { ...counts, failed: 1 } : counts;
}

/**
 * @param {string} path
 * @returns {Record<string, unknown>}
 */
function readReport(path) {
  return existsSync(path) ? JSON.parse(readFileSync(path, "utf8")) : {};
}

/**
 * @param {Record<string, unknown>} report
 * @param {string} name
 * @returns {number}
 */
function count(report, name) {
  const value = report[name];
  return typeof value === "number" ? value : 0;
}
