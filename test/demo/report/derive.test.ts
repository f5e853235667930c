import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { listDatasets } from "../../../demo/src/flock/dataset.ts";
import type { Finding } from "../../../demo/src/flock/finding.ts";
import { analystTasks, summaryTask } from "../../../demo/src/flock/task.ts";
import { deriveReport } from "../../../demo/src/report/derive.ts";
import { givenAnnouncement, givenDataset, givenMessage, givenRequest } from "../flock/given.ts";

const dataset = givenDataset(["b", "a"]);
const [first, second, relations] = analystTasks(dataset);
const analysis = { type: "empty", rows: 3, missing: 3, distinct: 0 } as const;
const findings: Finding[] = [
  { id: first!.id, dataset: dataset.id, column: "b", analysis },
  { id: second!.id, dataset: dataset.id, column: "a", analysis },
  {
    id: relations!.id,
    dataset: dataset.id,
    column: "correlations",
    correlation: { columns: [], values: [] },
  },
];
const answer = (id: string, parent: string, agent: string) =>
  givenMessage({ id, type: "TASK_RESULT", to: "planner-aaaa", parent, writer: `anon.${agent}.x` });

describe("DEMO-14: the report is derived from the findings", () => {
  it("the same whatever the order in which they came", () => {
    fc.assert(
      fc.property(fc.shuffledSubarray(findings, { minLength: 3 }), (shuffled) => {
        expect(deriveReport(dataset, shuffled, [])).toEqual(deriveReport(dataset, findings, []));
      }),
    );
  });

  it("in the order of the data set's columns, and of this data set only", () => {
    const foreign = { ...findings[0]!, id: "other/0", dataset: "other" };
    const report = deriveReport(dataset, [foreign, ...findings.toReversed()], []);
    expect(report.columns.map(({ column }) => column)).toEqual(["b", "a"]);
    expect(report.done).toBe(3);
    expect(report.correlation).toEqual({ columns: [], values: [] });
  });

  it("says who has a task: whoever was asked last, then whoever answered first", () => {
    const asked = [
      givenRequest("r1", "analyst-1111", first!),
      givenRequest("r2", "analyst-1111", second!),
      givenRequest("r3", "analyst-2222", second!),
    ];
    const states = (messages: Parameters<typeof deriveReport>[2], found: readonly Finding[]) =>
      deriveReport(dataset, found, messages).tasks.map(({ state, agent }) => [state, agent]);
    expect(states(asked, [])).toEqual([
      ["dealt", "analyst-1111"],
      ["dealt", "analyst-2222"],
      ["waiting", undefined],
    ]);
    const answered = [...asked, answer("a1", "r3", "analyst-2222"), answer("a2", "r2", "analyst-1111")];
    expect(states(answered, findings.slice(1, 2))[1]).toEqual(["done", "analyst-2222"]);
  });

  it("names who summed it up", () => {
    const messages = [
      givenRequest("s", "writer-aaaa", summaryTask(dataset)),
      answer("a", "s", "writer-aaaa"),
    ];
    expect(deriveReport(dataset, findings, messages).summariser).toBe("writer-aaaa");
    expect(deriveReport(dataset, findings, []).summariser).toBeUndefined();
  });
});

describe("listDatasets", () => {
  it("lists a data set once, however often it was announced", () => {
    const announced = givenAnnouncement(["a"]);
    const twice = { ...announced, id: "again" };
    const other = givenAnnouncement(["z"], "e".repeat(64));
    expect(listDatasets([announced, twice, other]).map(({ messageId }) => messageId)).toEqual([
      announced.id,
      other.id,
    ]);
  });

  it("passes over what is no announcement", () => {
    const { metadata: _, ...bare } = givenAnnouncement(["a"]);
    expect(listDatasets([bare, givenMessage({ id: "m", type: "STATUS", content: 1 })])).toEqual([]);
  });
});
