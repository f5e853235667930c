import { formatCount } from "../report/format.ts";
import type { Bins } from "../stats/bins.ts";
import { svg } from "../ui/dom.ts";
import { axis } from "./axis.ts";
import { linearScale } from "./scale.ts";

/** How a histogram is drawn. */
export interface HistogramOptions {
  width: number;
  height: number;
  /** Names a value of the axis. */
  format: (value: number) => string;
  /** About how many values the axis names; default 4. */
  tickCount?: number;
  /** What the picture says, for those who do not see it. */
  label: string;
}

const axisHeight = 18;
const gap = 1;

/** The distribution of a column: one bar a bin. */
export function histogram(
  bins: Bins,
  { width, height, format, tickCount = 4, label }: HistogramOptions,
): SVGSVGElement {
  const { start, step, counts } = bins;
  const end = start + step * counts.length;
  const base = height - axisHeight;
  const x = linearScale([start, end], [0, width]);
  const y = linearScale([0, Math.max(...counts)], [0, base - 2]);
  const bars = counts.map((count, at) => {
    const left = x(start + at * step);
    // A bin that holds something is seen, however small.
    const tall = count === 0 ? 0 : Math.max(1.5, y(count));
    return svg(
      "rect",
      {
        class: "bar",
        x: left + gap / 2,
        y: base - tall,
        width: Math.max(0.5, x(start + (at + 1) * step) - left - gap),
        height: tall,
        rx: 1,
      },
      svg(
        "title",
        {},
        `${format(start + at * step)} – ${format(start + (at + 1) * step)}: ${formatCount(count)}`,
      ),
    );
  });
  return svg(
    "svg",
    { class: "chart", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label },
    ...bars,
    axis({ domain: [start, end], scale: x, width, y: base, format, tickCount }),
  );
}
