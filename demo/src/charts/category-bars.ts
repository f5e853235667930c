import { formatCount, formatShare } from "../report/format.ts";
import type { CategorySummary } from "../stats/categories.ts";
import { h } from "../ui/dom.ts";

const shown = 6;

/** The commonest values as bars with their names; a list, so that names can be read and selected. */
export function categoryBars({ top, others }: CategorySummary): HTMLElement {
  const total = top.reduce((sum, { count }) => sum + count, others);
  const longest = top[0]?.count ?? 1;
  const named = top.slice(0, shown);
  const rest = total - named.reduce((sum, { count }) => sum + count, 0);
  const rows = named.map(({ value, count }) => bar(value, count, count / longest, total));
  if (rest > 0) rows.push(bar("all others", rest, Math.min(1, rest / longest), total, "category rest"));
  return h("ul", { class: "categories" }, ...rows);
}

function bar(name: string, count: number, length: number, total: number, className = "category"): HTMLElement {
  return h(
    "li",
    { class: className, title: `${name}: ${formatCount(count)} (${formatShare(count / total)})` },
    h("span", { class: "category-name" }, name),
    h(
      "span",
      { class: "category-track" },
      h("span", { class: "category-bar", style: `inline-size:${(length * 100).toFixed(1)}%` }),
    ),
    h("span", { class: "category-count" }, formatCount(count)),
  );
}
