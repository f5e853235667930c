import type { Said } from "../flock/said.ts";
import type { FlockRoom } from "../flock/state.ts";
import { h, setAttribute, setText } from "./dom.ts";
import { keyedList } from "./keyed-list.ts";
import { createMessageRow } from "./message-row.ts";
import { createPanel } from "./panel.ts";
import type { ShownMessage } from "./stage-sign.ts";
import { watch } from "./watch.ts";

/** The list of messages, newest first. */
export interface MessageList {
  readonly element: HTMLElement;
  /** Opens a message and brings it into view. */
  reveal(id: string): void;
}

const pageSize = 200;

/** Creates the list; older messages are shown on request, so that a long-lived room stays quick. */
export function createMessageList(room: FlockRoom, said: Said): MessageList {
  let limit = pageSize;
  const list = h("ol", { class: "messages" });
  const empty = h("p", { class: "empty" }, "Nothing has been said in this room yet.");
  const older = h("button", { class: "quiet-button", type: "button", onclick: showOlder });
  const scroller = h(
    "div",
    { class: "scroller", tabindex: 0, role: "group", "aria-label": "All messages, newest first" },
    empty,
    list,
    older,
  );
  const panel = createPanel("Messages", "messages", scroller);
  const rows = keyedList(list, { key: ({ id }: ShownMessage) => id, create: createMessageRow });

  function showOlder() {
    limit += pageSize;
    render();
  }

  function render() {
    const all = said.get();
    const live = new Map(room.messages.get().map((message) => [message.id, message]));
    const newest = all
      .slice(-limit)
      .map((message): ShownMessage => live.get(message.id) ?? { ...message, stage: "sealed" })
      .reverse();
    rows.show(newest);
    const rest = all.length - newest.length;
    setAttribute(empty, "hidden", all.length > 0);
    setAttribute(older, "hidden", rest === 0);
    setText(older, `Show older (${rest})`);
    panel.setNote(all.length === 0 ? "" : `${all.length}`);
  }

  watch([said, room.messages], render);
  return {
    element: panel.element,
    reveal(id) {
      if (rows.view(id) === undefined) limit = Number.POSITIVE_INFINITY;
      render();
      rows.view(id)?.open();
    },
  };
}
