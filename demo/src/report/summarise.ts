import type { DatasetMetadata } from "../flock/dataset.ts";
import { type ColumnFinding, type Finding, isColumnFinding } from "../flock/finding.ts";
import type { ColumnType } from "../stats/column-type.ts";
import { strongestPairs } from "../stats/correlation.ts";
import { formatCount, formatDay, formatR, formatShare, joinWords } from "./format.ts";

const typeWords: readonly (readonly [ColumnType, string])[] = [
  ["number", "numeric"],
  ["category", "categorical"],
  ["date", "with dates"],
  ["boolean", "with yes or no"],
  ["text", "with free text"],
  ["empty", "empty"],
];
// Below this a correlation explains less than a tenth of what varies.
const worthSaying = 0.32;

// A value is worth naming from this many times its even share.
const muchMore = 1.5;

/** Sums a data set up in a paragraph: a pure function of the findings, the same for every writer. */
export function summarise(dataset: DatasetMetadata, findings: readonly Finding[]): string {
  const columns = findings
    .filter(isColumnFinding)
    .toSorted((a, b) => dataset.columns.indexOf(a.column) - dataset.columns.indexOf(b.column));
  const sentences = [
    shape(dataset, columns),
    gaps(columns),
    span(columns),
    links(findings),
    outliers(columns),
    commonest(columns),
  ];
  return sentences.filter((sentence) => sentence !== undefined).join(" ");
}

function shape({ name, rows }: DatasetMetadata, columns: readonly ColumnFinding[]): string {
  const parts = typeWords.flatMap(([type, words]) => {
    const count = columns.filter(({ analysis }) => analysis.type === type).length;
    return count === 0 ? [] : [`${count} ${words}`];
  });
  const width = `${columns.length} ${columns.length === 1 ? "column" : "columns"}`;
  return `${name} holds ${formatCount(rows)} ${rows === 1 ? "row" : "rows"} in ${width}: ${joinWords(parts)}.`;
}

function gaps(columns: readonly ColumnFinding[]): string | undefined {
  const cells = columns.reduce((sum, { analysis }) => sum + analysis.rows, 0);
  const missing = columns.reduce((sum, { analysis }) => sum + analysis.missing, 0);
  if (cells === 0) return undefined;
  if (missing === 0) return "No value is missing.";
  const worst = columns
    .filter(({ analysis }) => analysis.missing > 0)
    .toSorted((a, b) => b.analysis.missing - a.analysis.missing)
    .slice(0, 2)
    .map(({ column, analysis }) => `${column} (${formatShare(analysis.missing / analysis.rows)})`);
  const share = formatShare(missing / cells).replace("<", "Less than");
  return `${share} of its cells are empty, most of all in ${joinWords(worst)}.`;
}

function span(columns: readonly ColumnFinding[]): string | undefined {
  const dated = columns.find(({ analysis }) => analysis.dates);
  const dates = dated?.analysis.dates;
  return dates && `${dated.column} runs from ${formatDay(dates.first)} to ${formatDay(dates.last)}.`;
}

function links(findings: readonly Finding[]): string | undefined {
  const matrix = findings.find(({ correlation }) => correlation)?.correlation;
  const [first, second] = matrix ? strongestPairs(matrix) : [];
  if (first === undefined || Math.abs(first.r) < worthSaying) return undefined;
  const also =
    second !== undefined && Math.abs(second.r) >= worthSaying
      ? `, followed by ${second.a} and ${second.b} (${formatR(second.r)})`
      : "";
  const direction = first.r > 0 ? "rise together" : "move in opposite directions";
  return `${first.a} and ${first.b} ${direction} most clearly (r = ${formatR(first.r)})${also}.`;
}

function outliers(columns: readonly ColumnFinding[]): string | undefined {
  const most = columns
    .map(({ column, analysis: { numbers, rows, missing } }) => {
      const count = numbers ? numbers.outliers.below + numbers.outliers.above : 0;
      return { column, count, share: count / Math.max(1, rows - missing) };
    })
    .toSorted((a, b) => b.share - a.share)[0];
  if (most === undefined || most.count === 0) return undefined;
  const values = most.count === 1 ? "One value" : `${formatCount(most.count)} values`;
  return `${values} of ${most.column} (${formatShare(most.share)}) ${most.count === 1 ? "lies" : "lie"} far outside the rest.`;
}

function commonest(columns: readonly ColumnFinding[]): string | undefined {
  const candidates = columns.flatMap(({ column, analysis }) => {
    const first = analysis.type === "category" ? analysis.categories?.top[0] : undefined;
    if (first === undefined || analysis.distinct < 2) return [];
    const share = first.count / (analysis.rows - analysis.missing);
    return share * analysis.distinct > muchMore ? [{ column, value: first.value, share }] : [];
  });
  const strongest = candidates.toSorted((a, b) => b.share - a.share)[0];
  return (
    strongest &&
    `The commonest ${strongest.column} is ${strongest.value}, in ${formatShare(strongest.share)} of cases.`
  );
}
