import { formatValue } from "../report/format.ts";
import type { NumberSummary } from "../stats/numbers.ts";
import { svg } from "../ui/dom.ts";
import { linearScale } from "./scale.ts";

/** How a strip is drawn; its domain is that of the histogram above it. */
export interface OutlierStripOptions {
  width: number;
  domain: readonly [number, number];
  label: string;
}

const height = 18;
const middle = 9;

/** A box plot on one line: quartiles, median, whiskers, and each outlier of the sample as a dot. */
export function outlierStrip(
  { q1, median, q3, outliers }: NumberSummary,
  { width, domain, label }: OutlierStripOptions,
): SVGSVGElement {
  const x = linearScale(domain, [0, width]);
  const { lowWhisker, highWhisker, sample } = outliers;
  const dots = sample.map((value) =>
    svg("circle", { class: "outlier", cx: x(value), cy: middle, r: 2 }, svg("title", {}, formatValue(value))),
  );
  return svg(
    "svg",
    { class: "chart strip", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label },
    svg("line", { class: "whisker", x1: x(lowWhisker), x2: x(highWhisker), y1: middle, y2: middle }),
    svg("line", { class: "whisker", x1: x(lowWhisker), x2: x(lowWhisker), y1: middle - 3, y2: middle + 3 }),
    svg("line", { class: "whisker", x1: x(highWhisker), x2: x(highWhisker), y1: middle - 3, y2: middle + 3 }),
    svg("rect", {
      class: "box",
      x: x(q1),
      y: middle - 5,
      width: Math.max(1, x(q3) - x(q1)),
      height: 10,
      rx: 1.5,
    }),
    svg("line", { class: "median", x1: x(median), x2: x(median), y1: middle - 5, y2: middle + 5 }),
    ...dots,
  );
}
