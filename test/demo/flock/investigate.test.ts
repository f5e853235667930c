import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { describe, expect, it } from "vitest";
import * as z from "zod/mini";
import { parseTable } from "../../../demo/src/data/parse-table.ts";
import { TableError } from "../../../demo/src/data/table.ts";
import { describeTable } from "../../../demo/src/flock/dataset.ts";
import { findingSchema, isColumnFinding } from "../../../demo/src/flock/finding.ts";
import { confidenceOf, investigate } from "../../../demo/src/flock/investigate.ts";
import { analystTasks, readTask } from "../../../demo/src/flock/task.ts";
import { summarise } from "../../../demo/src/report/summarise.ts";
import { givenDataset } from "./given.ts";

const require = createRequire(import.meta.url);
const moviesPath = require.resolve("vega-datasets").replace(/build\/.*$/, "data/movies.json");
const table = parseTable(readFileSync(moviesPath));
const dataset = { ...givenDataset([]), ...describeTable("movies.json", table) };
const findings = analystTasks(dataset).map((task) => investigate(task, table));

describe("DEMO-10: a task that is done twice gives one finding", () => {
  it("the same from the same bytes", () => {
    const again = parseTable(readFileSync(moviesPath));
    expect(analystTasks(dataset).map((task) => investigate(task, again))).toEqual(findings);
  });

  it("under the task's id, in the shape that the shared state takes", () => {
    expect(findings.map(({ id }) => id)).toEqual(analystTasks(dataset).map(({ id }) => id));
    for (const finding of findings) expect(z.parse(findingSchema, finding)).toEqual(finding);
  });

  it("small enough to be a value", () => {
    for (const finding of findings) expect(JSON.stringify(finding).length).toBeLessThan(10 * 1024);
  });

  it("finds what is in the movies", () => {
    const types = findings.filter(isColumnFinding).map(({ column, analysis }) => [column, analysis.type]);
    expect(Object.fromEntries(types)).toMatchObject({
      Title: "text",
      "US Gross": "number",
      "Release Date": "date",
      "MPAA Rating": "category",
      Director: "category",
    });
    const votes = findings.filter(isColumnFinding).find(({ column }) => column === "IMDB Votes");
    expect(votes?.analysis).toMatchObject({ rows: 3201, missing: 213, distinct: 2839 });
  });

  it("refuses a column that the table lacks", () => {
    const task = { ...analystTasks(dataset)[0]!, column: "nowhere" };
    expect(() => investigate(task, table)).toThrow(TableError);
  });

  it("is as sure as its cells are full", () => {
    const sales = findings.find(({ column }) => column === "US DVD Sales");
    expect(confidenceOf(sales!)).toBeCloseTo(564 / 3201, 9);
    expect(confidenceOf(findings.at(-1)!)).toBe(1);
    expect(confidenceOf({ id: "x", dataset: "d", column: "c" })).toBe(0);
  });
});

describe("DEMO-11: a summary is a function of the findings", () => {
  it("the same in whatever order they come", () => {
    expect(summarise(dataset, findings.toReversed())).toBe(summarise(dataset, findings));
  });

  it("says what stands out", () => {
    const text = summarise(dataset, findings);
    expect(text).toContain(
      "3,201 rows in 16 columns: 8 numeric, 6 categorical, 1 with dates and 1 with free text",
    );
    expect(text).toContain("US Gross and Worldwide Gross rise together most clearly (r = +0.94)");
    expect(text).toContain("most of all in US DVD Sales (82%)");
  });

  it("says less of less", () => {
    const tiny = parseTable(new TextEncoder().encode("n\n1\n"));
    const one = { ...givenDataset([]), ...describeTable("tiny.csv", tiny) };
    const found = analystTasks(one).map((task) => investigate(task, tiny));
    expect(summarise(one, found)).toBe("tiny.csv holds 1 row in 1 column: 1 numeric. No value is missing.");
  });
});

describe("readTask", () => {
  it("reads what a planner sends, and nothing else", () => {
    const task = analystTasks(dataset)[0]!;
    expect(readTask(structuredClone(task))).toEqual(task);
    expect(readTask({ ...task, kind: "dance" })).toBeUndefined();
    expect(readTask("column")).toBeUndefined();
  });
});
