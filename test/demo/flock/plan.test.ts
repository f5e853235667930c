import type { ListedMessage } from "flockstate";
import { describe, expect, it } from "vitest";
import { type Deal, type PlanInput, patienceMs, plan } from "../../../demo/src/flock/plan.ts";
import { analystTasks, summaryTask } from "../../../demo/src/flock/task.ts";
import { givenAnalyst, givenDataset, givenMessage, givenRequest } from "./given.ts";

const dataset = givenDataset(["a", "b", "c"]);
const tasks = analystTasks(dataset);
const [one, two] = ["analyst-1111", "analyst-2222"];

function planned(input: Partial<PlanInput>): Deal[] {
  return plan({
    datasets: [dataset],
    messages: [],
    found: new Set(),
    agents: [givenAnalyst(one), givenAnalyst(two)],
    writer: "anon.planner-aaaa.x",
    summariser: "writer-aaaa",
    dealt: [],
    lastSeen: () => 0,
    nowMs: 0,
    ...input,
  });
}

/** What was dealt becomes requests, answered where `answered` says so. */
function requestsOf(
  deals: readonly Deal[],
  answered: (deal: Deal) => boolean = () => false,
): ListedMessage[] {
  return deals.flatMap((deal, at) => {
    const request = givenRequest(`r${at}`, deal.to, deal.task);
    const answer = givenMessage({
      id: `a${at}`,
      type: "TASK_RESULT",
      to: "planner-aaaa",
      parent: request.id,
    });
    return answered(deal) ? [request, answer] : [request];
  });
}

const names = (deals: readonly Deal[]) => deals.map(({ task, to }) => `${task.id.split("/")[1]} ${to}`);

describe("DEMO-7: a planner deals every task once, to the online analyst with the least to do", () => {
  it("takes turns", () => {
    expect(names(planned({}))).toEqual([`0 ${one}`, `1 ${two}`, `2 ${one}`, `correlations ${two}`]);
  });

  it("gives new work to whoever has less of the old", () => {
    const messages = [givenRequest("r", one, tasks[0]!), givenRequest("s", one, tasks[1]!)];
    expect(names(planned({ messages }))).toEqual([`2 ${two}`, `correlations ${two}`]);
  });

  it("asks only agents that can analyse and are online, and nobody where there is none", () => {
    const planner = { ...givenAnalyst("planner-aaaa"), capabilities: ["plan"] };
    const agents = [givenAnalyst(one, false), givenAnalyst(two), planner];
    expect(new Set(planned({ agents }).map(({ to }) => to))).toEqual(new Set([two]));
    expect(planned({ agents: [givenAnalyst(one, false), planner] })).toEqual([]);
  });

  it("counts an analyst with several writers once", () => {
    const agents = [
      givenAnalyst(one, false),
      { ...givenAnalyst(one), writer: `anon.${one}.y` },
      givenAnalyst(two),
    ];
    expect(names(planned({ agents }))).toHaveLength(4);
    expect(names(planned({ agents }))[0]).toBe(`0 ${one}`);
  });

  it("deals nothing again that it dealt, listed or not", () => {
    const deals = planned({});
    const dealt = deals.map(({ task, to }) => ({ task: task.id, to, sentAt: 0 }));
    expect(planned({ messages: requestsOf(deals) })).toEqual([]);
    expect(planned({ dealt })).toEqual([]);
  });

  it("control: what another planner asked for is not its own", () => {
    const messages = requestsOf(planned({})).map((m) => ({ ...m, writer: "anon.planner-bbbb.x" }));
    expect(planned({ messages })).toHaveLength(4);
  });

  it("deals nothing that was found already", () => {
    expect(planned({ found: new Set([tasks[0]!.id]) }).map(({ task }) => task.id)).not.toContain(
      tasks[0]!.id,
    );
  });
});

describe("DEMO-8: work of an analyst that stays offline is dealt again", () => {
  const agents = [givenAnalyst(one, false), givenAnalyst(two)];
  const messages = requestsOf(planned({}));

  it("after the patience is over, to one that is online", () => {
    expect(planned({ messages, agents, nowMs: patienceMs - 1 })).toEqual([]);
    expect(names(planned({ messages, agents, nowMs: patienceMs }))).toEqual([`0 ${two}`, `2 ${two}`]);
  });

  it("counted from when the analyst was last seen", () => {
    const lastSeen = () => 10_000;
    expect(planned({ messages, agents, lastSeen, nowMs: patienceMs + 9_999 })).toEqual([]);
    expect(planned({ messages, agents, lastSeen, nowMs: patienceMs + 10_000 })).toHaveLength(2);
  });

  it("not while the analyst is online, nor where nobody else is", () => {
    expect(planned({ messages, nowMs: 1e9 })).toEqual([]);
    expect(planned({ messages, agents: [givenAnalyst(one, false)], nowMs: 1e9 })).toEqual([]);
  });

  it("not where it answered", () => {
    const answered = requestsOf(planned({}), ({ to }) => to === one);
    expect(planned({ messages: answered, agents, nowMs: 1e9 })).toEqual([]);
  });

  it("once, and then with the new analyst's time", () => {
    const dealt = [
      { task: tasks[0]!.id, to: two, sentAt: 7_000 },
      { task: tasks[2]!.id, to: two, sentAt: 7_000 },
    ];
    expect(planned({ messages, dealt, agents, nowMs: 1e9 })).toEqual([]);
  });
});

describe("DEMO-9: the writer is asked once, when every finding is there", () => {
  const found = new Set(tasks.map(({ id }) => id));

  it("asks this browser's writer", () => {
    expect(planned({ found })).toEqual([{ dataset, task: summaryTask(dataset), to: "writer-aaaa" }]);
  });

  it("not before, and not twice", () => {
    const almost = new Set([...found].slice(1));
    expect(planned({ found: almost }).map(({ task }) => task.kind)).not.toContain("summary");
    const messages = [givenRequest("s", "writer-aaaa", summaryTask(dataset))];
    expect(planned({ found, messages })).toEqual([]);
  });
});
