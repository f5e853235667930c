import type { Agent, Undo } from "flockstate";
import { summarise } from "../report/summarise.ts";
import { listDatasets } from "./dataset.ts";
import type { Said } from "./said.ts";
import type { FlockRoom } from "./state.ts";
import { readTask } from "./task.ts";

/** Starts a writer: asked for a summary, it writes one from the findings and answers the planner. */
export function startWriter(room: FlockRoom, agent: Agent, said: Said): Undo {
  return agent.onMessage({ type: "TASK_REQUEST" }, async (message, { signal }) => {
    const task = readTask(message.content);
    if (task?.kind !== "summary") return;
    const dataset = listDatasets(said.get()).find(({ id }) => id === task.dataset);
    if (dataset === undefined) return;
    const findings = room.state.findings.get().filter((finding) => finding.dataset === task.dataset);
    const summary = summarise(dataset, findings);
    if (room.state.summaries.get()[task.dataset] !== summary) {
      await room.state.summaries.set(task.dataset, summary).settled("local", { signal });
    }
    const sent = await agent.send({
      to: message.from,
      type: "TASK_RESULT",
      content: { task: task.id, found: `${summary.split(/\s+/).length} words` },
      parent: message.id,
      conversation: message.conversation ?? message.id,
    });
    await sent.settled("local", { signal });
  });
}
