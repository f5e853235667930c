import type { Agent, ReceivedMessage, Undo } from "flockstate";
import { TableError } from "../data/table.ts";
import { headline } from "../report/headline.ts";
import { datasetTopic, datasetType, readDataset } from "./dataset.ts";
import { confidenceOf, investigate } from "./investigate.ts";
import type { Pace } from "./pace.ts";
import { sleep } from "./sleep.ts";
import type { FlockRoom } from "./state.ts";
import { createTables } from "./tables.ts";
import { type AnalystTask, readTask } from "./task.ts";

/**
 * Starts an analyst: it does the tasks it is sent, puts each finding into the shared state and answers the planner.
 * A task is acknowledged only once its finding and its answer are stored here, so a reload in mid-work repeats it.
 */
export function startAnalyst(room: FlockRoom, agent: Agent, pace: Pace): Undo {
  const tables = createTables(room);

  async function work(task: AnalystTask, message: ReceivedMessage, signal: AbortSignal): Promise<void> {
    await sleep(pace.get(), signal);
    const table = await tables.get(task.reference, signal);
    const reply = { to: message.from, parent: message.id, conversation: message.conversation ?? message.id };
    try {
      const finding = investigate(task, table);
      if (room.state.findings.row(finding.id) === undefined) {
        await room.state.findings.set(finding).settled("local", { signal });
      }
      const content = { task: task.id, column: task.column, found: headline(finding) };
      const confidence = confidenceOf(finding);
      const sent = await agent.send({ ...reply, type: "TASK_RESULT", content, confidence });
      await sent.settled("local", { signal });
    } catch (problem) {
      if (!(problem instanceof TableError)) throw problem;
      const content = { task: task.id, code: problem.code, message: problem.message };
      await agent.send({ ...reply, type: "ERROR", content });
    }
  }

  const undo = [
    // Taking the announcement in brings the bytes to this browser before the first task asks for them.
    agent.onMessage({ type: datasetType, topic: datasetTopic }, async (message, { signal }) => {
      const dataset = readDataset(message);
      if (dataset !== undefined) await tables.get(dataset.reference, signal);
    }),
    agent.onMessage({ type: "TASK_REQUEST" }, async (message, { signal }) => {
      const task = readTask(message.content);
      if (task !== undefined && task.kind !== "summary") await work(task, message, signal);
    }),
  ];
  return () => {
    for (const each of undo) each();
  };
}
