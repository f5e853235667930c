import type { LaneLimits } from "../../src/crdt/index.ts";
import {
  type Agent,
  defineView,
  type FlockError,
  type Message,
  type Retention,
  type Room,
  readMessage,
  type View,
  type ViewDefinition,
  type ViewOptions,
} from "../../src/index.ts";
import type { SimulatedReplica } from "../../src/testing/index.ts";
import type { LaneBook } from "./lanes-book.ts";
import type { Tamper } from "./member.ts";

/** Pages of three entries, of which four pages at most stay live: nearly all that is said is sealed soon. */
export const tinyLanes: LaneLimits = {
  pageEntries: 3,
  pageBytes: 256 * 1024,
  liveEntries: 4,
  liveBytes: 256 * 1024,
  livePages: 4,
};

/** One line of everything that was said. */
export type Transcript = readonly string[];

/** A task has one part of each member, and is done once all of them are there. */
export interface Task {
  readonly parts: Readonly<Record<string, string>>;
  readonly of: number;
}

const isDone = ({ parts, of }: Task): boolean => Object.keys(parts).length >= of;

/** How a member's views are opened; what is named differs in a negative control. */
export interface Viewing {
  transcript?: ViewOptions;
  isClosed?: ((task: Task) => boolean) | undefined;
}

/** An open replica, with its views. */
export interface LaneMember {
  readonly name: string;
  readonly browser: string;
  readonly replica: SimulatedReplica;
  readonly room: Room;
  readonly agent: Agent;
  readonly messages: Room["messages"];
  /** Everything that was said, and the same over a snapshot. */
  readonly transcript: View<Transcript>;
  readonly kept: View<Transcript>;
  readonly tasks: View<Task>;
  readonly isReady: () => boolean;
  /** What of each open task was live here before. */
  readonly seen: Map<string, Set<string>>;
}

export interface LaneMemberOptions {
  name: string;
  book: LaneBook;
  retention: Partial<Retention>;
  limits: LaneLimits;
  tamper: Tamper;
  viewing: Viewing;
  /** Whether its agent listens to everything that is said. */
  listens: boolean;
  /** Names this life of the member among all. */
  life: string;
  /** Whether what it is told of gaps is noted. */
  notesGaps: boolean;
  onProblem(error: FlockError): void;
}

interface TaskContent {
  task: string;
  part: string;
  of: number;
}

/** What a message says about a task. */
export function taskOf(message: Message | undefined): TaskContent | undefined {
  return message?.topic === "work" ? (message.content as unknown as TaskContent) : undefined;
}

const transcript = defineView<Transcript>({
  key: (entry) => (readMessage(entry) ? "all" : undefined),
  init: () => [],
  step: (lines, { id }) => [...lines, id],
});

const tasks: ViewDefinition<Task> = {
  key: (entry) => taskOf(readMessage(entry))?.task,
  init: () => ({ parts: {}, of: Number.POSITIVE_INFINITY }),
  step(task, entry) {
    const said = taskOf(readMessage(entry));
    if (!said) return task;
    const parts = { ...task.parts, [said.part]: entry.id };
    return { of: said.of, parts: Object.fromEntries(Object.entries(parts).sort()) };
  },
  isClosed: isDone,
  snapshot: { name: "tasks", version: 1 },
};

/** Opens a replica's room, agent and views. */
export async function openLaneMember(
  replica: SimulatedReplica,
  options: LaneMemberOptions,
): Promise<LaneMember> {
  const { name, book, retention, limits, tamper, viewing, listens, life, notesGaps, onProblem } = options;
  const room = await replica.open("lab", {
    platform: { ...tamper(replica), lanes: limits },
    retention,
  });
  room.onProblem(onProblem);
  room.view(
    {
      key(entry) {
        book.note(entry);
        return undefined;
      },
      init: () => undefined,
      step: () => undefined,
    },
    { history: false },
  );
  const views = {
    transcript: room.view(transcript, viewing.transcript),
    kept: room.view({ ...transcript, snapshot: { name: "transcript", version: 1 } }, viewing.transcript),
    tasks: room.view({ ...tasks, isClosed: viewing.isClosed ?? isDone }),
  };
  const agent = await room.agent(name);
  const consumers = listens ? [{ topic: "talk" }, {}] : [];
  for (const filter of consumers) {
    agent.onMessage(filter, ({ id }) => book.handled(name, id), {
      consumer: filter.topic ?? "direct",
      from: "start",
      onGap(gap) {
        if (notesGaps) book.skipped(name, `${life} ${filter.topic}`, gap);
      },
    });
  }
  let isReady = false;
  Promise.all(Object.values(views).map(({ ready }) => ready)).then(
    () => {
      isReady = true;
    },
    () => undefined,
  );
  const { browser } = replica;
  return {
    ...views,
    name,
    browser: browser.name,
    replica,
    room,
    agent,
    messages: room.messages,
    isReady: () => isReady,
    seen: new Map(),
  };
}

/** Says what a member holds to be an open task. */
export function* openTasks({ tasks: view }: LaneMember): Iterable<[key: string, task: Task]> {
  for (const key of view.keys()) {
    const task = view.get(key);
    if (task && !isDone(task)) yield [key, task];
  }
}
