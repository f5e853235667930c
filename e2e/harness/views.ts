import { defineView, readMessage, type View, type ViewDefinition } from "flockstate";
import { numberOf } from "./lanes.ts";
import type { HarnessRoom } from "./state.ts";

/** A conversation: how much was said, and a sum that another order of the numbers would change. */
export interface Talk {
  readonly count: number;
  readonly sum: number;
}

/** What became of a request. */
export interface Task {
  readonly asked: number;
  readonly answers: number;
}

/** The views of the tests, with the state of each. */
export interface HarnessViews {
  readonly talks: Talk;
  readonly tasks: Task;
}

/** What a view shows, and what it took. */
export interface ViewReport {
  readonly states: Readonly<Record<string, unknown>>;
  /** Entries folded since the page was loaded. */
  readonly steps: number;
}

let steps = { talks: 0, tasks: 0 };

const talks = defineView<Talk>({
  key: (entry) => readMessage(entry)?.conversation,
  init: () => ({ count: 0, sum: 0 }),
  step({ count, sum }, entry) {
    steps = { ...steps, talks: steps.talks + 1 };
    const message = readMessage(entry);
    return { count: count + 1, sum: (sum * 31 + (message ? numberOf(message) : 0)) % 1_000_000_007 };
  },
  snapshot: { name: "talks", version: 1 },
});

const tasks = defineView<Task>({
  key(entry) {
    const message = readMessage(entry);
    if (message?.type === "TASK_REQUEST") return message.id;
    return message?.type === "TASK_RESULT" ? message.parent : undefined;
  },
  init: () => ({ asked: 0, answers: 0 }),
  step({ asked, answers }, entry) {
    steps = { ...steps, tasks: steps.tasks + 1 };
    return readMessage(entry)?.type === "TASK_REQUEST"
      ? { asked: asked + 1, answers }
      : { asked, answers: answers + 1 };
  },
  isClosed: ({ answers }) => answers > 0,
  snapshot: { name: "tasks", version: 1 },
});

const definitions: { [Name in keyof HarnessViews]: ViewDefinition<HarnessViews[Name]> } = { talks, tasks };

/** Opens one of the views of the tests. */
export function openHarnessView<Name extends keyof HarnessViews>(
  room: HarnessRoom,
  name: Name,
): View<HarnessViews[Name]> {
  return room.view(definitions[name]);
}

/** What a view shows now. */
export function viewReport<Name extends keyof HarnessViews>(
  name: Name,
  view: View<HarnessViews[Name]>,
): ViewReport {
  const keys = [...view.keys()].sort();
  return { states: Object.fromEntries(keys.map((key) => [key, view.get(key)])), steps: steps[name] };
}
