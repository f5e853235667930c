import { csvFormatRows } from "d3-dsv";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { detectDelimiter } from "../../../demo/src/data/csv.ts";
import { parseTable } from "../../../demo/src/data/parse-table.ts";
import { maxColumns, type Table, TableError, type TableErrorCode } from "../../../demo/src/data/table.ts";

const utf8 = (text: string) => new TextEncoder().encode(text);
const read = (text: string) => rowsOf(parseTable(utf8(text)));

function rowsOf({ columns, rowCount }: Table) {
  const rows = Array.from({ length: rowCount }, (_, at) => columns.map(({ cells }) => cells[at]));
  return [columns.map(({ name }) => name), ...rows];
}

function codeOf(text: string): TableErrorCode | undefined {
  try {
    parseTable(utf8(text));
    return undefined;
  } catch (problem) {
    return problem instanceof TableError ? problem.code : undefined;
  }
}

describe("DEMO-1: a table is read from the bytes alone", () => {
  it.each([
    ["commas", "a,b\n1,x\n2,y"],
    ["semicolons", "a;b\r\n1;x\r\n2;y\r\n"],
    ["tabs", "a\tb\n1\tx\n2\ty\n"],
    ["bars", "a|b\n1|x\n2|y"],
    ["columns as arrays", '{"a":["1","2"],"b":["x","y"]}'],
    ["rows under a header", '[["a","b"],["1","x"],["2","y"]]'],
    ["records", '[{"a":"1","b":"x"},{"b":"y","a":"2"}]'],
    ["records in a property", '{"source":"us","rows":[{"a":"1","b":"x"},{"a":"2","b":"y"}]}'],
    ["a record a line", '{"a":"1","b":"x"}\n{"a":"2","b":"y"}\n'],
  ])("reads %s", (_, text) => {
    expect(read(text)).toEqual([
      ["a", "b"],
      ["1", "x"],
      ["2", "y"],
    ]);
  });

  it("takes empty cells, null and the usual words for a missing value", () => {
    expect(read("a,b\n,NA\nnull,n/a\n0,nano")).toEqual([
      ["a", "b"],
      [null, null],
      [null, null],
      ["0", "nano"],
    ]);
    expect(read('[{"a":null,"b":""},{"a":0}]')).toEqual([
      ["a", "b"],
      [null, null],
      [0, null],
    ]);
  });

  it("pads short rows, leaves out what lies beyond the header, and skips empty lines", () => {
    expect(read("a,b\n1\n\n2,x,y\n")).toEqual([
      ["a", "b"],
      ["1", null],
      ["2", "x"],
    ]);
  });

  it("gives every column a name of its own", () => {
    expect(read("a,,a, a\n1,2,3,4")[0]).toEqual(["a", "column 2", "a (2)", "a (3)"]);
  });

  it("reads UTF-16 and Windows-1252, and drops the mark at the start", () => {
    const utf16 = new Uint8Array([0xff, 0xfe, ...[..."é\nü"].flatMap((c) => [c.charCodeAt(0), 0])]);
    expect(rowsOf(parseTable(utf16))).toEqual([["é"], ["ü"]]);
    expect(rowsOf(parseTable(new Uint8Array([0xe9, 0x0a, 0xfc])))).toEqual([["é"], ["ü"]]);
    expect(read("\ufeffa\n1")).toEqual([["a"], ["1"]]);
  });

  it.each([
    ["", "empty"],
    ["  \n ", "empty"],
    ["a,b\n", "empty"],
    ["[]", "empty"],
    ["{not json", "not-tabular"],
    ["[1,2,3]", "not-tabular"],
    ['{"a":1}', "not-tabular"],
    [`${Array.from({ length: maxColumns + 1 }, (_, at) => `c${at}`).join(",")}\n1`, "too-many-columns"],
  ] as const)("refuses %j as %s", (text, code) => {
    expect(codeOf(text)).toBe(code);
  });
});

describe("DEMO-2: delimited text is read as RFC 4180 has it", () => {
  it("reads quotes, doubled quotes, delimiters and line ends within quotes", () => {
    expect(read('"a ""x""","b,c"\r\n"1\r\n2",\'3\'\r\n')).toEqual([
      ['a "x"', "b,c"],
      ["1\r\n2", "'3'"],
    ]);
  });

  it("finds the delimiter outside quotes", () => {
    expect(detectDelimiter('"a,b,c";d\n1,2,3')).toBe(";");
    expect(detectDelimiter("one column")).toBe(",");
  });

  const cell = fc.string({
    minLength: 1,
    maxLength: 8,
    unit: fc.constantFrom("a", "7", '"', ",", "\n", "\r", " ", "é"),
  });
  const grid = fc
    .tuple(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 5 }))
    .chain(([width, height]) =>
      fc.array(
        fc.array(
          cell.map((text) => `x${text}x`),
          { minLength: width, maxLength: width },
        ),
        {
          minLength: height,
          maxLength: height,
        },
      ),
    );

  const header = (width: number) => Array.from({ length: width }, (_, at) => `h${at}`);
  const returns = (rows: string[][], parse: (text: string) => unknown[][]) =>
    JSON.stringify(parse(csvFormatRows([header(rows[0]!.length), ...rows])).slice(1)) ===
    JSON.stringify(rows);

  it("gives back every table that was written", () => {
    fc.assert(fc.property(grid, (rows) => returns(rows, read)));
  });

  it("control: splitting at commas and line ends does not", () => {
    const naive = (text: string) => text.split("\n").map((line) => line.split(","));
    expect(fc.check(fc.property(grid, (rows) => returns(rows, naive))).failed).toBe(true);
  });
});
