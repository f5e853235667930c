import { describe, expect, it } from "vitest";
import type { Cell } from "../../../demo/src/data/table.ts";
import { inferType } from "../../../demo/src/stats/column-type.ts";
import { readDate } from "../../../demo/src/stats/read-date.ts";
import { readNumber } from "../../../demo/src/stats/read-number.ts";

const many = (count: number, cell: (at: number) => Cell) =>
  Array.from({ length: count }, (_, at) => cell(at));

describe("DEMO-3: a column's type follows from the cells that are there", () => {
  it.each<[string, Cell[]]>([
    ["number", [1, 2.5, null]],
    ["number", ["1", "-2.5", "1e3", "1,234", null]],
    ["number", many(100, (at) => (at < 96 ? at : "unknown"))],
    ["category", many(100, (at) => (at < 94 ? at % 7 : "unknown"))],
    ["date", ["2024-02-29", "Jun 12 1998", "12/31/1999", "3 March 2001", null]],
    ["boolean", [true, false, null]],
    ["boolean", ["yes", "No"]],
    ["category", ["R", "PG", "R"]],
    ["category", many(200, (at) => `genre ${at % 12}`)],
    ["text", many(200, (at) => `title ${at}`)],
    ["empty", [null, null]],
    ["empty", []],
  ])("%s: %j", (type, cells) => {
    expect(inferType(cells)).toBe(type);
  });
});

describe("readNumber", () => {
  it.each([
    ["12", 12],
    [" -0.5 ", -0.5],
    ["+.5", 0.5],
    ["1,234,567.8", 1_234_567.8],
    ["1e400", undefined],
    [1e101, undefined],
    ["00412", undefined],
    ["12,34", undefined],
    ["0x10", undefined],
    ["Infinity", undefined],
    ["12 kg", undefined],
    [true, undefined],
    [null, undefined],
  ])("%j is %j", (cell, value) => {
    expect(readNumber(cell)).toBe(value);
  });
});

describe("readDate", () => {
  it.each([
    ["2024-02-29", "2024-02-29"],
    ["2024/2/9", "2024-02-09"],
    ["2024-03", "2024-03-01"],
    ["2024-02-29T23:59:59+14:00", "2024-02-29"],
    ["Jun 12 1998", "1998-06-12"],
    ["September 3, 2001", "2001-09-03"],
    ["3-Sep-2001", "2001-09-03"],
    ["12/31/1999", "1999-12-31"],
    ["31/12/1999", "1999-12-31"],
    ["2023-02-29", undefined],
    ["Apollo 13", undefined],
    ["Foo 12 1998", undefined],
    ["1998", undefined],
  ])("%j is %j", (cell, day) => {
    const ms = readDate(cell);
    expect(ms === undefined ? undefined : new Date(ms).toISOString().slice(0, 10)).toBe(day);
  });
});
