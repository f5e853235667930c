import { heatMap } from "../charts/heat-map.ts";
import { correlationsName } from "../flock/finding.ts";
import { formatR } from "../report/format.ts";
import { type CorrelationMatrix, strongestPairs } from "../stats/correlation.ts";
import { h } from "./dom.ts";

const named = 6;

/** The card that shows how the columns of numbers relate. */
export function correlationCard(matrix: CorrelationMatrix, dataset: string): HTMLElement {
  const pairs = strongestPairs(matrix).slice(0, named);
  const card = h(
    "article",
    {
      class: "card card-wide",
      "data-testid": "finding",
      "data-column": correlationsName,
      "data-dataset": dataset,
    },
    h(
      "header",
      { class: "card-head" },
      h("h3", {}, "How the numbers relate"),
      h("span", { class: "type" }, "Pearson’s r"),
    ),
  );
  if (pairs.length === 0) {
    card.append(h("p", { class: "card-headline" }, "There are no two columns of numbers to compare."));
    return card;
  }
  card.append(
    h(
      "div",
      { class: "correlation" },
      h(
        "div",
        { class: "heat-frame", tabindex: 0, role: "group", "aria-label": "Matrix of correlations" },
        heatMap(matrix, `Correlations of ${matrix.columns.length} columns`),
      ),
      h(
        "div",
        { class: "pairs-side" },
        h("h4", {}, "Strongest links"),
        h(
          "ol",
          { class: "pairs" },
          ...pairs.map(({ a, b, r }) =>
            h(
              "li",
              { "data-side": r < 0 ? "negative" : "positive" },
              h("span", { class: "pair-names" }, h("span", {}, a), h("span", {}, b)),
              h("span", { class: "pair-bar", style: `--strength:${Math.abs(r).toFixed(3)}` }),
              h("span", { class: "pair-r" }, formatR(r)),
            ),
          ),
        ),
      ),
    ),
  );
  return card;
}
