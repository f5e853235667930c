import type { FlockRoom } from "../flock/state.ts";
import { avatar } from "./avatar.ts";
import { h, setAttribute, setText } from "./dom.ts";
import { keyedList } from "./keyed-list.ts";
import { createPanel } from "./panel.ts";
import type { Browser, People } from "./people.ts";
import { watch } from "./watch.ts";

type AgentView = Browser["agents"][number] & { done: number };

/** The panel that says who is here: every browser with its person and its agents. */
export function createRoster(room: FlockRoom, people: People): HTMLElement {
  const list = h("ul", { class: "browsers" });
  const panel = createPanel("Flock", "flock", list);
  const show = keyedList<Browser & { doneBy: ReadonlyMap<string, number> }, HTMLElement>(list, {
    key: ({ suffix }) => suffix,
    create: createBrowserRow,
    update: (row, browser) => updateBrowser.get(row)?.(browser),
  });

  watch([people, room.messages], () => {
    const browsers = people.list();
    const online = browsers.filter(({ agents }) => agents.some((agent) => agent.online)).length;
    const doneBy = countAnswers(room);
    show(browsers.map((browser) => ({ ...browser, doneBy })));
    panel.setNote(`${online} ${online === 1 ? "browser" : "browsers"} online`);
  });
  return panel.element;
}

type BrowserUpdate = (browser: Browser & { doneBy: ReadonlyMap<string, number> }) => void;
const updateBrowser = new WeakMap<HTMLElement, BrowserUpdate>();

function createBrowserRow(browser: Browser): HTMLElement {
  const note = h("span", { class: "browser-note" });
  const agents = h("ul", { class: "agents" });
  const showAgents = keyedList<AgentView, HTMLElement>(agents, {
    key: ({ name }) => name,
    create: () =>
      h(
        "li",
        { class: "agent", "data-testid": "agent-row" },
        h("span", { class: "dot" }),
        h("span", { class: "agent-name" }),
        h("span", { class: "agent-done" }),
      ),
    update: updateAgent,
  });
  const row = h(
    "li",
    { class: "browser" },
    avatar(browser),
    h(
      "div",
      { class: "browser-body" },
      h("div", { class: "browser-head" }, h("strong", {}, browser.name), h("code", {}, browser.suffix), note),
      agents,
    ),
  );
  updateBrowser.set(row, ({ agents: members, isYou, tabs, isWriting, doneBy }) => {
    const isAway = tabs === 0 && members.every(({ online }) => !online);
    setAttribute(row, "data-away", isAway);
    const words = [isYou && "you", tabs > 1 && `${tabs} tabs`, isWriting && "writing notes", isAway && "away"];
    setText(note, words.filter(Boolean).join(" · "));
    showAgents(members.map((agent) => ({ ...agent, done: doneBy.get(agent.name) ?? 0 })));
  });
  return row;
}

function updateAgent(row: HTMLElement, { name, role, capabilities, online, done }: AgentView): void {
  const [dot, label, answers] = row.children;
  setAttribute(row, "data-name", name);
  setAttribute(row, "data-role", role);
  setAttribute(row, "data-online", String(online));
  setAttribute(row, "title", `${name} · can ${capabilities.join(", ")} · ${online ? "online" : "offline"}`);
  if (dot) setAttribute(dot, "aria-label", online ? "online" : "offline");
  if (label) setText(label, role);
  if (answers) setText(answers, done === 0 ? "" : `${done}`);
}

function countAnswers(room: FlockRoom): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { type, from } of room.messages.get()) {
    const name = from.split(".").at(-1) ?? from;
    if (type === "TASK_RESULT") counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return counts;
}
