import { formatCount, formatShare } from "../report/format.ts";
import type { CategorySummary } from "../stats/categories.ts";
import { h } from "../ui/dom.ts";

/**
 * The commonest values as bars with their names; a list, so that names can be read and selected. Bars of categories
 * compare with one another, those of mostly unique text with all the rest, for there is nothing in common to see.
 */
export function categoryBars({ top, others }: CategorySummary, isUnique: boolean): HTMLElement {
  const total = top.reduce((sum, { count }) => sum + count, others);
  const longest = Math.max(1, top[0]?.count ?? 1, isUnique ? others : 0);
  const rows = top.map(({ value, count }) => bar(value, count, count / longest, total));
  if (others > 0) rows.push(bar("all others", others, Math.min(1, others / longest), total, "category rest"));
  return h("ul", { class: "categories" }, ...rows);
}

function bar(
  name: string,
  count: number,
  length: number,
  total: number,
  className = "category",
): HTMLElement {
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
