import { type Finding, isColumnFinding } from "../flock/finding.ts";
import { strongestPairs } from "../stats/correlation.ts";
import { formatCount, formatDay, formatR, formatShare } from "./format.ts";
import { numberFormat } from "./number-format.ts";

/** One line that says what a finding found. */
export function headline(finding: Finding): string {
  if (isColumnFinding(finding)) return columnHeadline(finding.analysis);
  const matrix = finding.correlation;
  const strongest = matrix && strongestPairs(matrix)[0];
  if (strongest === undefined) return "no two columns of numbers to compare";
  return `${strongest.a} with ${strongest.b}, r = ${formatR(strongest.r)}`;
}

type Analysis = NonNullable<Finding["analysis"]>;

function columnHeadline({ numbers, dates, categories, distinct, rows, missing }: Analysis): string {
  if (numbers) {
    const { median, outliers } = numbers;
    const count = outliers.below + outliers.above;
    const tail =
      count === 0 ? "no outliers" : `${formatCount(count)} ${count === 1 ? "outlier" : "outliers"}`;
    return `median ${numberFormat(numbers)(median)}, ${tail}`;
  }
  if (dates) return `${formatDay(dates.first)} to ${formatDay(dates.last)}`;
  const first = categories?.top[0];
  if (first === undefined) return "no values";
  if (first.count === 1) return `${formatCount(distinct)} different values`;
  return `${formatCount(distinct)} values, most often ${first.value} (${formatShare(first.count / (rows - missing))})`;
}
