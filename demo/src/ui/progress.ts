import { hueOf, readAgentName } from "../flock/names.ts";
import type { Report, TaskProgress } from "../report/derive.ts";
import { h, setAttribute, setText } from "./dom.ts";
import { keyedList, type View } from "./keyed-list.ts";
import { shortName } from "./message-words.ts";

const words = { waiting: "nobody has it yet", dealt: "dealt to", done: "found by" } as const;

/** The tasks of a report as a bar: one part a task, in the colour of the browser that has it. */
export function createProgress(): { element: HTMLElement; show(report: Report): void } {
  const bar = h("div", { class: "progress-bar" });
  const caption = h("p", { class: "progress-caption" });
  const element = h(
    "div",
    { class: "progress", role: "progressbar", "aria-label": "Findings" },
    bar,
    caption,
  );
  const parts = keyedList(bar, { key: ({ id }: TaskProgress) => id, create: taskPart });
  return {
    element,
    show({ tasks, done }) {
      parts.show(tasks);
      setAttribute(element, "aria-valuenow", done);
      setAttribute(element, "aria-valuemax", tasks.length);
      setAttribute(element, "data-complete", done === tasks.length);
      setText(caption, captionOf(tasks, done));
    },
  };
}

function taskPart({ column }: TaskProgress): View<TaskProgress> {
  const element = h("span", { class: "progress-part" });
  return {
    element,
    update({ state, agent }) {
      const suffix = agent === undefined ? undefined : readAgentName(agent)?.suffix;
      setAttribute(element, "data-state", state);
      setAttribute(element, "style", suffix === undefined ? undefined : `--hue:${hueOf(suffix)}`);
      setAttribute(
        element,
        "title",
        `${column}: ${words[state]} ${agent === undefined ? "" : shortName(agent)}`.trim(),
      );
    },
  };
}

function captionOf(tasks: readonly TaskProgress[], done: number): string {
  const workers = new Set(tasks.filter(({ state }) => state === "done").map(({ agent }) => agent)).size;
  const by = workers === 0 ? "" : ` by ${workers} ${workers === 1 ? "analyst" : "analysts"}`;
  return done === tasks.length
    ? `All ${done} findings are in${by && `,${by}`}`
    : `${done} of ${tasks.length} findings${by}`;
}
