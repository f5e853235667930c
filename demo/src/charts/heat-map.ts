import { formatR } from "../report/format.ts";
import type { CorrelationMatrix } from "../stats/correlation.ts";
import { svg } from "../ui/dom.ts";

const cell = 44;
const labelWidth = 150;
const labelHeight = 96;
const gap = 2;

/** The correlations of all pairs: the lower triangle, since the upper one says the same. */
export function heatMap({ columns, values }: CorrelationMatrix, label: string): SVGSVGElement {
  const rows = columns.slice(1);
  const heads = columns.slice(0, -1);
  const width = labelWidth + heads.length * cell + 70;
  const height = rows.length * cell + labelHeight;
  const cells = rows.flatMap((row, i) =>
    heads.slice(0, i + 1).map((head, j) => square({ r: values[i + 1]?.[j] ?? null, row, head, i, j })),
  );
  const rowLabels = rows.map((name, i) =>
    svg(
      "text",
      { class: "heat-label", x: labelWidth - 8, y: i * cell + cell / 2, "text-anchor": "end", dy: "0.35em" },
      name,
    ),
  );
  const bottom = rows.length * cell + 12;
  const headLabels = heads.map((name, j) => {
    const x = labelWidth + j * cell + cell / 2;
    return svg(
      "text",
      { class: "heat-label", x, y: bottom, transform: `rotate(38 ${x} ${bottom})`, dy: "0.35em" },
      name,
    );
  });
  return svg(
    "svg",
    {
      class: "chart heat-map",
      viewBox: `0 0 ${width} ${height}`,
      style: `--natural:${width}px`,
      role: "img",
      "aria-label": label,
    },
    ...cells,
    ...rowLabels,
    ...headLabels,
  );
}

/** Decides which ink can be read on the cell; the styles know the ground's colours. */
function strengthWord(strength: number): "high" | "middle" | "low" {
  if (strength > 0.8) return "high";
  return strength > 0.6 ? "middle" : "low";
}

interface Square {
  r: number | null;
  row: string;
  head: string;
  i: number;
  j: number;
}

function square({ r, row, head, i, j }: Square): SVGGElement {
  const [x, y] = [labelWidth + j * cell, i * cell];
  const strength = r === null ? 0 : Math.abs(r);
  const side = r === null ? "none" : r < 0 ? "negative" : "positive";
  return svg(
    "g",
    { class: "heat-cell", "data-side": side, "data-strength": strengthWord(strength) },
    svg("rect", {
      x: x + gap / 2,
      y: y + gap / 2,
      width: cell - gap,
      height: cell - gap,
      rx: 3,
      style: `--strength:${strength.toFixed(3)}`,
    }),
    svg(
      "text",
      { x: x + cell / 2, y: y + cell / 2, dy: "0.35em", "text-anchor": "middle" },
      r === null ? "–" : r.toFixed(2).replace("-", "−"),
    ),
    svg("title", {}, `${row} and ${head}: ${r === null ? "too few values" : `r = ${formatR(r)}`}`),
  );
}
