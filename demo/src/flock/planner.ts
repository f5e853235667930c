import type { Agent, SentMessage, Undo } from "flockstate";
import { parseTable } from "../data/parse-table.ts";
import { type DatasetMetadata, datasetTopic, datasetType, describeTable, listDatasets } from "./dataset.ts";
import { type Deal, type Dealt, onlineAnalysts, plan } from "./plan.ts";
import type { Said } from "./said.ts";
import type { FlockRoom } from "./state.ts";

/** The agent that announces data sets and deals out their columns. */
export interface Planner {
  readonly agent: Agent;
  /**
   * Announces a data set by reference and has the flock analyse it.
   *
   * @throws TableError where the bytes are no table; nothing is sent then.
   */
  analyse(name: string, bytes: Uint8Array): Promise<{ metadata: DatasetMetadata; sent: SentMessage }>;
  close(): void;
}

// The plan also depends on time and on who is online, so it is looked at even when nothing changes.
const replanMs = 1_000;

/** What a planner works with; `summariser` is the writer agent that sums up, by name. */
export interface PlannerOptions {
  readonly room: FlockRoom;
  readonly said: Said;
  readonly agent: Agent;
  readonly summariser: string;
}

/** Starts a planner: it looks at messages, findings and agents, and sends what the plan says is missing. */
export function startPlanner({ room, said, agent, summariser }: PlannerOptions): Planner {
  const startedAt = Date.now();
  const dealt: Dealt[] = [];
  const seen = new Map<string, number>();
  let busy = false;
  let again = false;

  async function replan(): Promise<void> {
    if (busy) {
      again = true;
      return;
    }
    busy = true;
    try {
      await Promise.all(nextDeals().map(deal));
    } finally {
      busy = false;
    }
    if (!again) return;
    again = false;
    await replan();
  }

  function nextDeals(): Deal[] {
    const messages = said.get();
    const nowMs = Date.now();
    for (const analyst of onlineAnalysts(room.agents.get())) seen.set(analyst, nowMs);
    return plan({
      datasets: listDatasets(messages.filter((message) => message.writer === agent.writer)),
      messages,
      found: new Set(room.state.findings.get().map((finding) => finding.id)),
      agents: room.agents.get(),
      writer: agent.writer,
      summariser,
      dealt,
      lastSeen: (analyst) => seen.get(analyst) ?? startedAt,
      nowMs,
    });
  }

  function deal({ dataset, task, to }: Deal): Promise<SentMessage> {
    dealt.push({ task: task.id, to, sentAt: Date.now() });
    return agent.send({
      to,
      type: "TASK_REQUEST",
      content: task,
      parent: dataset.messageId,
      conversation: dataset.messageId,
    });
  }

  const wake = () => void replan();
  const undo: Undo[] = [
    said.subscribe(wake),
    room.agents.subscribe(wake),
    room.state.findings.subscribe(wake),
    // The finding itself is in the shared state; taking the answer in is what settles it as delivered.
    agent.onMessage({ type: "TASK_RESULT" }, wake),
    agent.onMessage({ type: "ERROR" }, wake),
  ];
  const timer = setInterval(wake, replanMs);
  wake();

  return {
    agent,
    async analyse(name, bytes) {
      const metadata = describeTable(name, parseTable(bytes));
      const sent = await agent.send({
        topic: datasetTopic,
        type: datasetType,
        content: bytes,
        metadata,
      });
      return { metadata, sent };
    },
    close() {
      clearInterval(timer);
      for (const each of undo) each();
    },
  };
}
