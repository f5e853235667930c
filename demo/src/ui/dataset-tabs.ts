import type { Dataset } from "../flock/dataset.ts";
import type { DatasetChoice } from "./dataset-choice.ts";
import { h, setAttribute } from "./dom.ts";
import { icon } from "./icons.ts";
import type { Intake } from "./intake.ts";
import { keyedList, type View } from "./keyed-list.ts";
import { movies } from "./prepared.ts";
import { watch } from "./watch.ts";

/** The data sets of the room as tabs, and the button that adds another. */
export function createDatasetTabs(choice: DatasetChoice, intake: Intake): HTMLElement {
  const list = h("div", { class: "tabs", role: "tablist", "aria-label": "Data sets", onkeydown: moveByKey });
  const add = h(
    "button",
    { class: "quiet-button", type: "button", onclick: () => intake.chooseFile() },
    icon("plus", 14),
    "Add a file",
  );
  const addMovies = h(
    "button",
    { class: "quiet-button", type: "button", onclick: () => void intake.analyseMovies() },
    icon("plus", 14),
    movies.title,
  );
  const tabs = keyedList(list, { key: ({ id }: Dataset) => id, create: tabView });

  /** The tab that has just been chosen: among many it may be out of sight. */
  let revealed: HTMLElement | undefined;

  function tabView({ id, name, messageId }: Dataset): View<Dataset> {
    const element = h(
      "button",
      {
        class: "tab",
        type: "button",
        role: "tab",
        "data-testid": "dataset-tab",
        "data-dataset": id,
        "data-message": messageId,
        "aria-controls": "report",
        onclick: () => choice.choose(id),
      },
      name,
    );
    return {
      element,
      update(dataset) {
        const isChosen = choice.get()?.id === dataset.id;
        if (isChosen && element.ariaSelected !== "true") revealed = element;
        setAttribute(element, "aria-selected", String(isChosen));
        setAttribute(element, "tabindex", isChosen ? 0 : -1);
      },
    };
  }

  function moveByKey(event: KeyboardEvent) {
    const step = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    if (step === 0) return;
    const datasets = choice.all();
    const at = datasets.findIndex(({ id }) => id === choice.get()?.id);
    const next = datasets[(at + step + datasets.length) % datasets.length];
    if (next === undefined) return;
    event.preventDefault();
    choice.choose(next.id);
    (tabs.view(next.id)?.element as HTMLElement | undefined)?.focus();
  }

  watch([choice], () => {
    const datasets = choice.all();
    tabs.show(datasets);
    revealed?.scrollIntoView({ block: "nearest", inline: "nearest" });
    revealed = undefined;
    setAttribute(
      addMovies,
      "hidden",
      datasets.some(({ name }) => name === movies.name),
    );
  });
  return h("div", { class: "tab-row" }, list, add, addMovies);
}
