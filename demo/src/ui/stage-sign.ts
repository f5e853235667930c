import type { ListedMessage } from "flockstate";
import { h, setAttribute, setText } from "./dom.ts";
import { icon } from "./icons.ts";

type Stage = ListedMessage["stage"];

const meaning: Record<Stage, string> = {
  pending: "not stored yet",
  local: "stored on its sender's device",
  relayed: "stored by the relay",
  delivered: "taken in by its addressee",
};

/** Creates the sign of a message's stage. */
export function stageSign(): HTMLElement {
  return h(
    "span",
    { class: "stage" },
    h("span", { class: "stage-icon" }),
    h("span", { class: "stage-word" }),
  );
}

/** Shows a stage in its sign. */
export function showStage(sign: HTMLElement, stage: Stage): void {
  if (sign.dataset["stage"] === stage) return;
  const [picture, word] = sign.children;
  setAttribute(sign, "data-stage", stage);
  setAttribute(sign, "title", `${stage}: ${meaning[stage]}`);
  if (stage === "relayed") picture?.replaceChildren(icon("check", 13));
  else if (stage === "delivered") picture?.replaceChildren(icon("delivered", 13));
  else picture?.replaceChildren(h("span", { class: "stage-ring" }));
  if (word) setText(word, stage);
}
