import type { ListedMessage, Message } from "flockstate";
import { h, setAttribute, setText } from "./dom.ts";
import { icon } from "./icons.ts";

/** How far a message has come; `sealed` is what lies in the history of its lane, checked by its hash. */
export type Stage = ListedMessage["stage"] | "sealed";

/** A message as the page shows it. */
export type ShownMessage = Message & { readonly stage: Stage };

const meaning: Record<Stage, string> = {
  pending: "not stored yet",
  local: "stored on its sender's device",
  relayed: "stored by the relay",
  delivered: "taken in by its addressee",
  sealed: "read back from its lane's history, and verified",
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
  else if (stage === "sealed") picture?.replaceChildren(icon("shield", 13));
  else picture?.replaceChildren(h("span", { class: "stage-ring" }));
  if (word) setText(word, stage);
}
