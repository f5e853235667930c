import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { analyseColumn } from "../../../demo/src/stats/analyse.ts";
import { type Bins, binValues } from "../../../demo/src/stats/bins.ts";
import { summariseCategories } from "../../../demo/src/stats/categories.ts";
import { correlate, pearson, strongestPairs } from "../../../demo/src/stats/correlation.ts";
import { summariseDates } from "../../../demo/src/stats/dates.ts";
import { quantile, summariseNumbers } from "../../../demo/src/stats/numbers.ts";

describe("DEMO-4: numbers are summarised as statistics has it", () => {
  it("gives the figures of a known sample", () => {
    const summary = summariseNumbers([2, 4, 4, 4, 5, 5, 7, 9]);
    expect(summary).toMatchObject({ min: 2, max: 9, mean: 5, q1: 4, median: 4.5, q3: 5.5 });
    expect(summary?.deviation).toBeCloseTo(Math.sqrt(32 / 7), 9);
  });

  it("interpolates quantiles between neighbours (type 7)", () => {
    expect(quantile([1, 2, 3, 4], 0.25)).toBe(1.75);
    expect(quantile([10], 0.75)).toBe(10);
  });

  it("takes for outliers what lies beyond 1.5 interquartile ranges", () => {
    // Quartiles 2 and 4, so the fences are −1 and 7.
    const { outliers } = summariseNumbers([7.1, 2, 4, -1, 3, 2, 7, 4, -1.1])!;
    expect(outliers).toMatchObject({ below: 1, above: 1, lowWhisker: -1, highWhisker: 7 });
    expect(outliers.sample).toEqual([-1.1, 7.1]);
  });

  it("names both ends of many outliers", () => {
    const many = Array.from({ length: 500 }, (_, at) => 1_000 + at);
    const { outliers } = summariseNumbers([...Array.from({ length: 5_000 }, (_, at) => at % 10), ...many])!;
    expect(outliers.above).toBe(500);
    expect(outliers.sample).toHaveLength(64);
    expect([outliers.sample[0], outliers.sample.at(-1)]).toEqual([1_000, 1_499]);
  });

  it("has nothing to say of no numbers, and no deviation of one", () => {
    expect(summariseNumbers([])).toBeUndefined();
    expect(summariseNumbers([3])).toMatchObject({ min: 3, max: 3, median: 3, deviation: 0 });
  });
});

describe("DEMO-5: every value is in the bin that it belongs to", () => {
  const values = fc
    .array(fc.double({ min: -1e9, max: 1e9, noNaN: true }), { minLength: 1, maxLength: 200 })
    .map((list) => list.toSorted((a, b) => a - b));
  const holdsAll = (list: number[], { counts }: Bins) =>
    counts.reduce((sum, n) => sum + n, 0) === list.length;
  const covers = (list: number[], { start, step, counts }: Bins) => {
    const slack = Math.abs(step) * 1e-6 + 1e-9;
    return start <= list[0]! + slack && start + step * counts.length >= list.at(-1)! - slack;
  };

  it("for any values, in at most 60 bins", () => {
    fc.assert(
      fc.property(values, (list) => {
        const bins = binValues(list);
        expect(bins.counts.length).toBeLessThanOrEqual(60);
        return holdsAll(list, bins) && covers(list, bins);
      }),
    );
  });

  it("control: bins that leave the greatest value out are caught", () => {
    const open = (list: number[]): Bins => {
      const bins = binValues(list);
      return { ...bins, counts: bins.counts.map((n, at) => (at === bins.counts.length - 1 ? n - 1 : n)) };
    };
    expect(fc.check(fc.property(values, (list) => holdsAll(list, open(list)))).failed).toBe(true);
  });

  it("gives whole numbers with few values a bin each", () => {
    expect(binValues([3, 4, 4, 5, 6, 8])).toEqual({ start: 3, step: 1, counts: [1, 2, 1, 1, 0, 1] });
  });

  it("counts dates by year, or by day where they are close together", () => {
    const at = (day: string) => Date.parse(day);
    expect(summariseDates([at("1990-05-01"), at("1992-01-01"), at("2000-12-31")])).toMatchObject({
      unit: "year",
      bins: { start: 1990 },
    });
    expect(summariseDates([at("2024-01-01"), at("2024-01-03")])).toMatchObject({ unit: "day" });
  });
});

describe("DEMO-6: correlations are Pearson's, over the rows that have both values", () => {
  it("gives Anscombe's 0.816", () => {
    const x = [10, 8, 13, 9, 11, 14, 6, 4, 12, 7, 5];
    const y = [8.04, 6.95, 7.58, 8.81, 8.33, 9.96, 7.24, 4.26, 10.84, 4.82, 5.68];
    expect(pearson(x, y)).toBeCloseTo(0.81642, 5);
  });

  it("leaves incomplete pairs out, and says nothing of too few or of what never varies", () => {
    expect(pearson([1, undefined, 2, 3, 9], [2, 7, 4, 6, undefined])).toBe(1);
    expect(pearson([1, 2, undefined], [1, 2, 3])).toBeNull();
    expect(pearson([1, 2, 3], [5, 5, 5])).toBeNull();
  });

  it("is symmetric and between −1 and 1", () => {
    const number = fc.option(fc.integer({ min: -1000, max: 1000 }), { nil: undefined });
    fc.assert(
      fc.property(fc.array(fc.tuple(number, number), { maxLength: 40 }), (pairs) => {
        const [xs, ys] = [pairs.map(([x]) => x), pairs.map(([, y]) => y)];
        const r = pearson(xs, ys);
        expect(pearson(ys, xs)).toBe(r);
        return r === null || (r >= -1 && r <= 1);
      }),
    );
  });

  it("names each pair once, strongest first", () => {
    const cells = [1, 2, 3, 4];
    const matrix = correlate({
      rowCount: 4,
      columns: [
        { name: "a", cells },
        { name: "word", cells: ["x", "y", "x", "z"] },
        { name: "minus", cells: cells.map((value) => -value) },
        { name: "loose", cells: [1, 3, 2, 4] },
      ],
    });
    expect(matrix.columns).toEqual(["a", "minus", "loose"]);
    expect(strongestPairs(matrix).map(({ a, b, r }) => [a, b, r])).toEqual([
      ["a", "minus", -1],
      ["a", "loose", 0.8],
      ["minus", "loose", -0.8],
    ]);
  });
});

describe("analyseColumn", () => {
  it("counts what does not fit the type as missing", () => {
    const cells = [...Array.from({ length: 40 }, (_, at) => at), "unknown", null];
    expect(analyseColumn({ name: "n", cells })).toMatchObject({
      type: "number",
      rows: 42,
      missing: 2,
      distinct: 40,
    });
  });

  it("ranks words by count, then by code point, and counts the others", () => {
    expect(summariseCategories(["b", "a", "b", "a", "c"])).toEqual({
      top: [
        { value: "a", count: 2 },
        { value: "b", count: 2 },
        { value: "c", count: 1 },
      ],
      others: 0,
    });
    expect(summariseCategories(Array.from({ length: 20 }, (_, at) => `w${at}`)).others).toBe(12);
  });

  it("has a type and no summary for an empty column", () => {
    expect(analyseColumn({ name: "n", cells: [null, null] })).toEqual({
      type: "empty",
      rows: 2,
      missing: 2,
      distinct: 0,
    });
  });
});
