/** What a column of words looks like. */
export interface CategorySummary {
  /** The commonest values, most frequent first, ties in the order of their code points. */
  top: { value: string; count: number }[];
  /** How many cells hold a value that is not among `top`. */
  others: number;
}

const maxTop = 8;
const maxLength = 60;

/** Counts values; at most eight are named. */
export function summariseCategories(values: readonly string[]): CategorySummary {
  const counts = new Map<string, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  const ranked = [...counts].sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1));
  const top = ranked.slice(0, maxTop).map(([value, count]) => ({ value: shorten(value), count }));
  return { top, others: values.length - top.reduce((sum, { count }) => sum + count, 0) };
}

function shorten(value: string): string {
  const characters = [...value];
  return characters.length <= maxLength ? value : `${characters.slice(0, maxLength - 1).join("")}…`;
}
