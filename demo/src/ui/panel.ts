import { h, setText } from "./dom.ts";

/** A titled part of the page. */
export interface Panel {
  readonly element: HTMLElement;
  /** The small text beside the title. */
  setNote(note: string): void;
}

/** Creates a panel; its title labels the region. */
export function createPanel(title: string, id: string, ...children: readonly Node[]): Panel {
  const note = h("span", { class: "panel-note" });
  const element = h(
    "section",
    { class: `panel panel-${id}`, "aria-labelledby": `${id}-title` },
    h("header", { class: "panel-head" }, h("h2", { id: `${id}-title` }, title), note),
    ...children,
  );
  return { element, setNote: (text) => setText(note, text) };
}
