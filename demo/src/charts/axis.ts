import { svg } from "../ui/dom.ts";
import { type Scale, ticks } from "./scale.ts";

/** What an axis under a chart needs. */
export interface AxisOptions {
  domain: readonly [number, number];
  scale: Scale;
  width: number;
  y: number;
  format: (value: number) => string;
  /** About how many labels; long ones need fewer. */
  tickCount: number;
}

/** Labels under a chart, at round values; those at the edges are anchored inwards. */
export function axis({ domain, scale, width, y, format, tickCount }: AxisOptions): SVGGElement {
  const labels = ticks(domain, tickCount).map((value) => {
    const x = scale(value);
    const anchor = x < 14 ? "start" : x > width - 14 ? "end" : "middle";
    return svg(
      "g",
      {},
      svg("line", { class: "tick", x1: x, x2: x, y1: y, y2: y + 3 }),
      svg("text", { class: "tick-label", x, y: y + 13, "text-anchor": anchor }, format(value)),
    );
  });
  return svg(
    "g",
    { class: "axis" },
    svg("line", { class: "rule", x1: 0, x2: width, y1: y, y2: y }),
    ...labels,
  );
}
