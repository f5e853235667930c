import { h, setAttribute } from "./dom.ts";
import type { View } from "./keyed-list.ts";
import { messageDetails } from "./message-details.ts";
import { carriage, destination, gist, shortName, typeFamily, typeLabel } from "./message-words.ts";
import { type ShownMessage, showStage, stageSign } from "./stage-sign.ts";

const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });

/** One message in the list, with a way to show its new state and to open it. */
export interface MessageRow extends View<ShownMessage> {
  open(): void;
}

/** Creates a row; a message never changes but for its stage. */
export function createMessageRow(message: ShownMessage): MessageRow {
  let latest = message;
  const stage = stageSign();
  const { kind, label } = carriage(message);
  const detailsId = `details-${message.id.replaceAll(/[^\w-]/g, "-")}`;
  const details = h("div", { class: "message-details", id: detailsId, hidden: true });
  const summary = h(
    "button",
    {
      class: "message-summary",
      type: "button",
      "aria-expanded": "false",
      "aria-controls": detailsId,
      onclick: () => toggle(details.hidden !== false),
    },
    h("span", { class: "visually-hidden" }, typeLabel(message.type)),
    h(
      "span",
      { class: "message-route" },
      h("span", {}, shortName(message.from)),
      h("span", { class: "arrow", "aria-label": "to" }, "→"),
      h("span", {}, destination(message)),
    ),
    h("time", { class: "message-time" }, clock.format(message.sentAt)),
    h("span", { class: "message-gist" }, gist(message)),
    h("span", { class: "chip", "data-kind": kind }, label),
    stage,
  );
  const element = h(
    "li",
    {
      class: "message",
      "data-testid": "message-row",
      "data-id": message.id,
      "data-type": message.type,
      "data-family": typeFamily(message.type),
    },
    summary,
    details,
  );

  function toggle(isOpen: boolean) {
    if (isOpen && details.firstChild === null) details.append(messageDetails(latest));
    details.hidden = !isOpen;
    setAttribute(summary, "aria-expanded", String(isOpen));
    if (isOpen) element.closest(".scroller")?.scrollTo({ top: element.offsetTop, behavior: "smooth" });
  }

  return {
    element,
    update(next) {
      latest = next;
      setAttribute(element, "data-stage", next.stage);
      showStage(stage, next.stage);
    },
    open() {
      toggle(true);
      summary.focus({ preventScroll: true });
    },
  };
}
