import type { Message } from "flockstate";
import type { Dataset } from "../flock/dataset.ts";
import { type ColumnFinding, type Finding, isColumnFinding } from "../flock/finding.ts";
import { bareName } from "../flock/names.ts";
import { analystTasks, readTask, summaryTask } from "../flock/task.ts";
import type { CorrelationMatrix } from "../stats/correlation.ts";

/** How far a task is: nobody has it, an analyst has it, or its finding is there. */
export type TaskState = "waiting" | "dealt" | "done";

/** One task as the report shows it. */
export interface TaskProgress {
  readonly id: string;
  readonly column: string;
  readonly state: TaskState;
  /** The name of who was asked last, or who answered first; undefined before it is dealt out. */
  readonly agent: string | undefined;
}

/** The report of one data set, derived from what is shared: no replica stores it, so none can differ. */
export interface Report {
  readonly dataset: Dataset;
  readonly tasks: readonly TaskProgress[];
  /** In the order of the data set's columns. */
  readonly columns: readonly ColumnFinding[];
  readonly correlation: CorrelationMatrix | undefined;
  readonly done: number;
  /** Who summed it up first. */
  readonly summariser: string | undefined;
}

/** Derives a report from the findings; the messages say only who does what. */
export function deriveReport(
  dataset: Dataset,
  findings: readonly Finding[],
  messages: readonly Message[],
): Report {
  const byId = new Map(findings.map((finding) => [finding.id, finding]));
  const { asked, answered } = readCredits(messages);
  const tasks = analystTasks(dataset).map(({ id, column }): TaskProgress => {
    const done = byId.has(id);
    const agent = (done ? answered.get(id) : undefined) ?? asked.get(id);
    return { id, column, agent, state: done ? "done" : agent === undefined ? "waiting" : "dealt" };
  });
  const found = tasks.flatMap(({ id }) => byId.get(id) ?? []);
  return {
    dataset,
    tasks,
    columns: found.filter(isColumnFinding),
    correlation: found.find(({ correlation }) => correlation !== undefined)?.correlation,
    done: found.length,
    summariser: answered.get(summaryTask(dataset).id),
  };
}

/** Who was asked last and who answered first, by task: the room's order decides, so every replica agrees. */
function readCredits(messages: readonly Message[]) {
  const asked = new Map<string, string>();
  const answered = new Map<string, string>();
  const taskOfRequest = new Map<string, string>();
  for (const { id, type, to, from, content, parent } of messages) {
    const task = type === "TASK_REQUEST" ? readTask(content) : undefined;
    if (task !== undefined) {
      taskOfRequest.set(id, task.id);
      asked.set(task.id, bareName(to ?? ""));
    }
    const done = type === "TASK_RESULT" && parent !== undefined ? taskOfRequest.get(parent) : undefined;
    if (done !== undefined && !answered.has(done)) answered.set(done, bareName(from));
  }
  return { asked, answered };
}
