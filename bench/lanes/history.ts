import Database from "better-sqlite3";
import { type Agent, defineView, openRoom, type Room } from "../../src/index.ts";
import { createNodePlatform } from "../../src/node/index.ts";
import { batchEntries } from "./lane.ts";
import { heapBytes } from "./memory.ts";

/** What one opening took, in milliseconds since its beginning. */
export interface Opening {
  room: number;
  agent: number;
  messages: number;
  view: number;
  /** Messages that are live. */
  live: number;
  /** Messages that the view has folded. */
  folded: number;
  /** What the processor spent on it. */
  cpu: number;
  /** What the heap holds once it is open, in bytes. */
  heap: number;
}

/** One key that is never closed: kept by its snapshot, it has folded all of history. */
const everything = defineView<number>({
  key: () => "all",
  init: () => 0,
  step: (count) => count + 1,
  snapshot: { name: "everything", version: 1 },
});

const agentName = "writer";
/** What stays of a lane, and a page that is just being closed. */
const liveWindow = 3 * 1_024;
const lookEveryMs = 250;

function open(directory: string): Promise<Room> {
  const platform = createNodePlatform({ directory, sqlite: Database, durability: "process" });
  return openRoom("history", { platform });
}

/** Sends messages of about 250 bytes, a batch a turn, until there are so many; what can be sealed is. */
export async function buildHistory(directory: string, count: number): Promise<void> {
  const room = await open(directory);
  const agent = await room.agent(agentName);
  const view = room.view(everything);
  await view.ready;
  for (let sent = 0; sent < count; sent += batchEntries)
    await send(agent, sent, Math.min(count, sent + batchEntries));
  while (room.messages.get().length > liveWindow)
    await new Promise((resolve) => setTimeout(resolve, lookEveryMs));
  await view.close();
  await room.close();
}

async function send(agent: Agent, from: number, to: number): Promise<void> {
  const sent = [];
  for (let index = from; index < to; index++) {
    const content = { task: "describe", column: "IMDB Rating", index, note: "x".repeat(96) };
    sent.push(agent.send({ topic: "progress", type: "STATUS", content }));
  }
  const last = (await Promise.all(sent)).at(-1);
  await last?.settled("local");
}

/** Opens the room, its agent and a view that keeps a snapshot, and reads the list of messages. */
export async function openHistory(directory: string): Promise<Opening> {
  const start = performance.now();
  const spent = process.cpuUsage();
  const since = (): number => performance.now() - start;
  const room = await open(directory);
  const [opened, agent] = [since(), await room.agent(agentName)];
  const ready = since();
  const live = room.messages.get().length;
  const messages = since();
  const view = room.view(everything);
  await view.ready;
  const done = since();
  const folded = view.get("all") ?? 0;
  const { user, system } = process.cpuUsage(spent);
  const cpu = (user + system) / 1_000;
  const opening = { room: opened, agent: ready, messages, view: done, live, folded, cpu, heap: heapBytes() };
  await agent.close();
  await room.close();
  return opening;
}
