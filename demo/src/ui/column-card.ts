import { categoryBars } from "../charts/category-bars.ts";
import { histogram } from "../charts/histogram.ts";
import { outlierStrip } from "../charts/outlier-strip.ts";
import type { ColumnFinding } from "../flock/finding.ts";
import { formatCount, formatDay, formatShare, formatValue } from "../report/format.ts";
import { headline } from "../report/headline.ts";
import { numberFormat } from "../report/number-format.ts";
import type { ColumnType } from "../stats/column-type.ts";
import type { DateSummary } from "../stats/dates.ts";
import type { NumberSummary } from "../stats/numbers.ts";
import { type Child, h } from "./dom.ts";

const width = 300;
const histogramHeight = 96;
const dayMs = 86_400_000;

const typeNames: Record<ColumnType, string> = {
  number: "Number",
  date: "Date",
  boolean: "Yes / no",
  category: "Category",
  text: "Text",
  empty: "Empty",
};

/** The card of one column: what it holds, how it is distributed, what stands out. */
export function columnCard(finding: ColumnFinding): HTMLElement {
  const { column, dataset, analysis } = finding;
  const { type, missing, rows } = analysis;
  return h(
    "article",
    { class: "card", "data-testid": "finding", "data-column": column, "data-dataset": dataset },
    h(
      "header",
      { class: "card-head" },
      h("h3", { title: column }, column),
      h("span", { class: "type", "data-type": type }, typeNames[type]),
    ),
    h("p", { class: "card-headline" }, headline(finding)),
    h("div", { class: "card-picture" }, ...picture(finding)),
    figures(analysis),
    h(
      "footer",
      { class: "card-foot" },
      h(
        "span",
        { class: "completeness", "aria-hidden": "true" },
        h("span", { style: `inline-size:${((1 - missing / rows) * 100).toFixed(1)}%` }),
      ),
      h("span", {}, missing === 0 ? "complete" : `${formatShare(missing / rows)} missing`),
    ),
  );
}

function picture({ column, analysis: { type, numbers, dates, categories } }: ColumnFinding): Child[] {
  if (numbers) return numberPicture(column, numbers);
  if (dates) return [datePicture(column, dates)];
  return categories
    ? [categoryBars(categories, type === "text")]
    : [h("p", { class: "empty" }, "No values.")];
}

function numberPicture(column: string, numbers: NumberSummary): Child[] {
  const { start, step, counts } = numbers.bins;
  const { below, above } = numbers.outliers;
  const format = numberFormat(numbers);
  const domain = [start, start + step * counts.length] as const;
  return [
    histogram(numbers.bins, {
      width,
      height: histogramHeight,
      format,
      label: `Distribution of ${column} from ${format(numbers.min)} to ${format(numbers.max)}`,
    }),
    outlierStrip(numbers, {
      width,
      domain,
      label: `Quartiles of ${column}, with ${below} outliers below and ${above} above`,
    }),
  ];
}

function datePicture(column: string, { bins, unit, first, last }: DateSummary): Child {
  return histogram(bins, {
    width,
    height: histogramHeight,
    tickCount: unit === "year" ? 4 : 2,
    format: (value) => (unit === "year" ? String(Math.round(value)) : formatDay(value * dayMs)),
    label: `Distribution of ${column} from ${formatDay(first)} to ${formatDay(last)}`,
  });
}

/** The figures under a picture; words have none that the headline and the bars do not say. */
function figures({ numbers, dates, distinct }: ColumnFinding["analysis"]): Child {
  if (numbers) {
    const format = numberFormat(numbers);
    return figureList([
      ["min", format(numbers.min)],
      ["median", format(numbers.median)],
      ["mean", format(numbers.mean)],
      ["max", format(numbers.max)],
      ["std dev", formatValue(numbers.deviation)],
      ["distinct", formatCount(distinct)],
    ]);
  }
  if (!dates) return undefined;
  return figureList([
    ["first", formatDay(dates.first)],
    ["last", formatDay(dates.last)],
    ["distinct", formatCount(distinct)],
  ]);
}

function figureList(entries: readonly (readonly [string, string])[]): HTMLElement {
  return h(
    "dl",
    { class: "figures" },
    ...entries.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))),
  );
}
