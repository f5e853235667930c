import { h, setAttribute } from "./dom.ts";

const views = [
  ["report", "Report"],
  ["messages", "Messages"],
  ["flock", "Flock"],
] as const;

/** On narrow pages one view is shown at a time; this bar at the bottom chooses it. Wide pages show all. */
export function createViewSwitch(): HTMLElement {
  const buttons = views.map(([view, label]) => {
    const button = h("button", { type: "button", onclick: () => choose(view) }, label);
    return { view, button };
  });

  function choose(chosen: string) {
    setAttribute(document.body, "data-view", chosen);
    for (const { view, button } of buttons) setAttribute(button, "aria-pressed", String(view === chosen));
    scrollTo({ top: 0 });
  }

  choose("report");
  return h("nav", { class: "view-switch", "aria-label": "Views" }, ...buttons.map(({ button }) => button));
}
