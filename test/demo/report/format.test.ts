import { describe, expect, it } from "vitest";
import {
  formatBytes,
  formatDay,
  formatR,
  formatShare,
  formatValue,
  joinWords,
} from "../../../demo/src/report/format.ts";
import { numberFormat } from "../../../demo/src/report/number-format.ts";
import { summariseNumbers } from "../../../demo/src/stats/numbers.ts";

describe("figures are written for readers", () => {
  it.each([
    [0, "0"],
    [0.0123456, "0.0123"],
    [106.42, "106.42"],
    [9_999.5, "9,999.5"],
    [15_100, "15.1k"],
    [69_800_000, "69.8M"],
    [-2.77e9, "-2.77B"],
  ])("value %d is %s", (value, text) => {
    expect(formatValue(value)).toBe(text);
  });

  it.each([
    [0, "0%"],
    [0.0001, "< 1%"],
    [0.824, "82%"],
    [0.9999, "> 99%"],
    [1, "100%"],
  ])("share %d is %s", (share, text) => {
    expect(formatShare(share)).toBe(text);
  });

  it("bytes, days, correlations, lists", () => {
    expect([999, 10_300, 1_399_981].map(formatBytes)).toEqual(["999 B", "10.3 kB", "1.4 MB"]);
    expect(formatDay(Date.UTC(1998, 5, 12))).toBe("12 Jun 1998");
    expect([formatR(0.946), formatR(-0.2)]).toEqual(["+0.95", "−0.20"]);
    expect([joinWords([]), joinWords(["a"]), joinWords(["a", "b", "c"])]).toEqual(["", "a", "a, b and c"]);
  });
});

describe("numberFormat", () => {
  it("writes years as years, and other numbers in groups", () => {
    const years = summariseNumbers([1955, 1980, 2005, 1960, 1970])!;
    const weights = summariseNumbers([1955.5, 1980, 2005, 1960, 1970])!;
    expect([numberFormat(years)(1980), numberFormat(weights)(1980)]).toEqual(["1980", "1,980"]);
  });
});
