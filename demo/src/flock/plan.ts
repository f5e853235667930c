import type { AgentInfo, Message } from "flockstate";
import type { Dataset } from "./dataset.ts";
import { type AnalystTask, analystTasks, readTask, type SummaryTask, summaryTask } from "./task.ts";

/** What a planner knows when it decides what to do next. */
export interface PlanInput {
  /** The data sets that this planner announced. */
  readonly datasets: readonly Dataset[];
  readonly messages: readonly Message[];
  /** The ids of the tasks whose findings are in the shared state. */
  readonly found: ReadonlySet<string>;
  readonly agents: readonly AgentInfo[];
  /** The planner's writer: only its own requests count. */
  readonly writer: string;
  /** The writer agent that sums up, by name. */
  readonly summariser: string;
  /** The planner's own deals that `messages` may not list yet. */
  readonly dealt: readonly Dealt[];
  /** When an analyst was last seen online here, in milliseconds. */
  lastSeen(analyst: string): number;
  readonly nowMs: number;
}

/** A request that was sent, by the id of its task. */
export interface Dealt {
  readonly task: string;
  readonly to: string;
  readonly sentAt: number;
}

/** One TASK_REQUEST to send. */
export interface Deal {
  readonly dataset: Dataset;
  readonly task: AnalystTask | SummaryTask;
  readonly to: string;
}

/** How long a task may rest with an analyst that is offline before another one is asked, in milliseconds. */
export const patienceMs = 6_000;

interface Request extends Omit<Dealt, "task"> {
  readonly answered: boolean;
}

/**
 * Decides which requests to send: every task once, to the online analyst with the least open work, and again
 * where its analyst has been offline for `patienceMs` without an answer. Doing a task twice is harmless, so nothing is
 * taken back. When every finding of a data set is there, the writer is asked to sum it up, once.
 */
export function plan(input: PlanInput): Deal[] {
  const analysts = onlineAnalysts(input.agents);
  const requests = latestRequests(input);
  const open = new Map(analysts.map((name) => [name, 0]));
  for (const [task, { to, answered }] of requests) {
    if (!answered && !input.found.has(task)) open.set(to, (open.get(to) ?? 0) + 1);
  }
  const deals: Deal[] = [];
  for (const dataset of input.datasets) {
    const tasks = analystTasks(dataset);
    for (const task of tasks) {
      if (input.found.has(task.id)) continue;
      const request = requests.get(task.id);
      if (request !== undefined && !isOverdue(request, analysts, input)) continue;
      const to = leastBusy(analysts, open);
      if (to === undefined) continue;
      open.set(to, (open.get(to) ?? 0) + 1);
      deals.push({ dataset, task, to });
    }
    const summary = summaryTask(dataset);
    if (tasks.every((task) => input.found.has(task.id)) && !requests.has(summary.id)) {
      deals.push({ dataset, task: summary, to: input.summariser });
    }
  }
  return deals;
}

/** The names of the analysts that are online, each once, in order. */
export function onlineAnalysts(agents: readonly AgentInfo[]): string[] {
  const online = agents.filter((agent) => agent.online && agent.capabilities.includes("analyse"));
  return [...new Set(online.map((agent) => agent.name))].sort();
}

function isOverdue(
  { to, sentAt, answered }: Request,
  analysts: readonly string[],
  { lastSeen, nowMs }: PlanInput,
): boolean {
  return !answered && !analysts.includes(to) && nowMs - Math.max(sentAt, lastSeen(to)) >= patienceMs;
}

function leastBusy(analysts: readonly string[], open: ReadonlyMap<string, number>): string | undefined {
  const load = (name: string) => open.get(name) ?? 0;
  return analysts.reduce<string | undefined>(
    (best, name) => (best === undefined || load(name) < load(best) ? name : best),
    undefined,
  );
}

function latestRequests({ messages, writer, dealt }: PlanInput): Map<string, Request> {
  const answered = new Set(
    messages.filter(({ type }) => type === "TASK_RESULT" || type === "ERROR").map(({ parent }) => parent),
  );
  const requests = new Map<string, Request>();
  for (const message of messages) {
    if (message.type !== "TASK_REQUEST" || message.writer !== writer || message.to === undefined) continue;
    const task = readTask(message.content);
    if (task === undefined) continue;
    const earlier = requests.get(task.id);
    requests.set(task.id, {
      to: message.to,
      sentAt: message.sentAt,
      answered: answered.has(message.id) || earlier?.answered === true,
    });
  }
  for (const { task, to, sentAt } of dealt) {
    const listed = requests.get(task);
    if (listed === undefined || listed.sentAt < sentAt)
      requests.set(task, { answered: false, ...listed, to, sentAt });
  }
  return requests;
}
