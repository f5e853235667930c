import type { Table } from "../data/table.ts";
import { inferType } from "./column-type.ts";
import { readNumber } from "./read-number.ts";
import { round } from "./round.ts";

/** Pearson's r of every pair of numeric columns, over the rows that have both. */
export interface CorrelationMatrix {
  columns: string[];
  /** Row by row; `null` where a pair has fewer than three rows in common or one of the two never varies. */
  values: (number | null)[][];
}

/** More columns than this cannot be read in one picture: the fullest are kept. */
const maxCorrelated = 14;
const minPairs = 3;

/** Pearson's r over the positions where both have a number; null where it is not defined. */
export function pearson(
  xs: readonly (number | undefined)[],
  ys: readonly (number | undefined)[],
): number | null {
  const pairs: [number, number][] = [];
  for (const [at, x] of xs.entries()) {
    const y = ys[at];
    if (x !== undefined && y !== undefined) pairs.push([x, y]);
  }
  if (pairs.length < minPairs) return null;
  const meanX = pairs.reduce((sum, [x]) => sum + x, 0) / pairs.length;
  const meanY = pairs.reduce((sum, [, y]) => sum + y, 0) / pairs.length;
  let [xy, xx, yy] = [0, 0, 0];
  for (const [x, y] of pairs) {
    xy += (x - meanX) * (y - meanY);
    xx += (x - meanX) ** 2;
    yy += (y - meanY) ** 2;
  }
  if (xx === 0 || yy === 0) return null;
  return round(Math.max(-1, Math.min(1, xy / Math.sqrt(xx * yy))));
}

/** The matrix of a table, in the order of its columns. */
export function correlate(table: Table): CorrelationMatrix {
  const numeric = table.columns
    .filter((column) => inferType(column.cells) === "number")
    .map((column) => ({ name: column.name, values: column.cells.map(readNumber) }));
  const fullness = (values: readonly (number | undefined)[]) => values.filter((v) => v !== undefined).length;
  const kept = new Set(
    numeric.toSorted((a, b) => fullness(b.values) - fullness(a.values)).slice(0, maxCorrelated),
  );
  const columns = numeric.filter((column) => kept.has(column));
  return {
    columns: columns.map((column) => column.name),
    values: columns.map((row) =>
      columns.map((column) => (row === column ? 1 : pearson(row.values, column.values))),
    ),
  };
}

/** Pairs of different columns, strongest first. */
export function strongestPairs(matrix: CorrelationMatrix): { a: string; b: string; r: number }[] {
  const pairs: { a: string; b: string; r: number }[] = [];
  for (const [i, row] of matrix.values.entries()) {
    for (const [j, r] of row.entries()) {
      if (j > i && r !== null) pairs.push({ a: matrix.columns[i]!, b: matrix.columns[j]!, r });
    }
  }
  return pairs.sort((p, q) => Math.abs(q.r) - Math.abs(p.r));
}
