import { bareName } from "../flock/names.ts";
import type { Said } from "../flock/said.ts";
import { avatar } from "./avatar.ts";
import { h, setAttribute, setText } from "./dom.ts";
import { keyedList, type View } from "./keyed-list.ts";
import { createPanel } from "./panel.ts";
import type { Browser, People } from "./people.ts";
import { watch } from "./watch.ts";

type BrowserView = Browser & { readonly doneBy: ReadonlyMap<string, number> };
type AgentView = Browser["agents"][number] & { readonly done: number };

/** The panel that says who is here: every browser with its person and its agents. */
export function createRoster(said: Said, people: People): HTMLElement {
  const list = h("ul", { class: "browsers" });
  const panel = createPanel("Flock", "flock", list);
  const rows = keyedList(list, { key: ({ suffix }: BrowserView) => suffix, create: browserRow });

  watch([people, said], () => {
    const browsers = people.list();
    const online = browsers.filter(({ agents }) => agents.some((agent) => agent.online)).length;
    const doneBy = countAnswers(said);
    rows.show(browsers.map((browser) => ({ ...browser, doneBy })));
    panel.setNote(`${online} ${online === 1 ? "browser" : "browsers"} online`);
  });
  return panel.element;
}

function browserRow(browser: Browser): View<BrowserView> {
  const note = h("span", { class: "browser-note" });
  const list = h("ul", { class: "agents" });
  const agents = keyedList(list, { key: ({ name }: AgentView) => name, create: agentRow });
  const element = h(
    "li",
    { class: "browser" },
    avatar(browser),
    h(
      "div",
      { class: "browser-body" },
      h("div", { class: "browser-head" }, h("strong", {}, browser.name), h("code", {}, browser.suffix), note),
      list,
    ),
  );
  return {
    element,
    update({ agents: members, isYou, tabs, isWriting, doneBy }) {
      const isAway = tabs === 0 && members.every(({ online }) => !online);
      setAttribute(element, "data-away", isAway);
      const words = [isYou && "you", tabs > 1 && `${tabs} tabs`, isWriting && "writing", isAway && "away"];
      setText(note, words.filter(Boolean).join(" · "));
      agents.show(members.map((agent) => ({ ...agent, done: doneBy.get(agent.name) ?? 0 })));
    },
  };
}

function agentRow({ name, role, capabilities }: AgentView): View<AgentView> {
  const dot = h("span", { class: "dot", role: "img" });
  const answers = h("span", { class: "agent-done", title: "answers given" });
  const element = h(
    "li",
    {
      class: "agent",
      "data-testid": "agent-row",
      "data-name": name,
      "data-role": role,
      title: `${name} can ${capabilities.join(", ")}`,
    },
    dot,
    h("span", { class: "agent-name" }, role),
    answers,
  );
  return {
    element,
    update({ online, done }) {
      setAttribute(element, "data-online", String(online));
      setAttribute(dot, "aria-label", online ? "online" : "offline");
      setText(answers, done === 0 ? "" : String(done));
    },
  };
}

function countAnswers(said: Said): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { type, from } of said.get()) {
    const name = bareName(from);
    if (type === "TASK_RESULT") counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return counts;
}
