import type { FlockRoom } from "../flock/state.ts";
import { h, setAttribute, setText } from "./dom.ts";
import { icon } from "./icons.ts";
import { watch } from "./watch.ts";

const confirmationMs = 1_600;

/** The hint that a second browser joins the work, with the link to it; it is gone once one has joined. */
export function createInvite(room: FlockRoom): HTMLElement {
  const label = h("span", {}, "Copy link");
  const link = h("input", {
    class: "invite-link",
    readonly: true,
    value: location.href,
    "aria-label": "Link to this room",
    onfocus: () => link.select(),
  });
  const copy = h("button", { class: "button", type: "button", onclick: copyLink }, icon("link", 14), label);
  let timer: ReturnType<typeof setTimeout> | undefined;

  async function copyLink() {
    try {
      await navigator.clipboard.writeText(location.href);
      setText(label, "Copied");
    } catch {
      // Without permission for the clipboard the link is selected instead, ready to be copied by hand.
      link.select();
      setText(label, "Selected");
    }
    clearTimeout(timer);
    timer = setTimeout(() => setText(label, "Copy link"), confirmationMs);
  }

  const element = h(
    "section",
    { class: "panel panel-invite", "aria-labelledby": "invite-title" },
    h("h2", { id: "invite-title" }, "Open a second browser"),
    h("p", {}, "Its analyst takes a share of the columns. A private window counts as another browser."),
    h("div", { class: "invite-row" }, link, copy),
  );
  watch([room.agents], () => {
    setAttribute(
      element,
      "hidden",
      room.agents.get().some(({ online, here }) => online && !here),
    );
  });
  return element;
}
