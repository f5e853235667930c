import type { FlockRoom } from "../flock/state.ts";
import { h, setAttribute, setText } from "./dom.ts";
import { icon } from "./icons.ts";
import { createNetworkSwitch } from "./network-switch.ts";
import { createThemeButton } from "./theme.ts";
import { watch } from "./watch.ts";

const storageWords = {
  ready: "Saved on this device",
  "memory-only": "In memory only",
  failed: "Storage failed",
} as const;

/** The bar at the top: which room, what is pending, where it is stored, and the network. */
export function createTopBar(room: FlockRoom): HTMLElement {
  const pending = h("span", { class: "status-item", "data-testid": "pending", role: "status" });
  const storage = h("span", { class: "status-item", "data-testid": "storage-state" });

  watch([room.status], () => {
    const status = room.status.get();
    setAttribute(pending, "data-pending", status.pending);
    setText(pending, status.pending === 0 ? "Nothing pending" : `${status.pending} pending`);
    setAttribute(storage, "data-state", status.storage);
    setText(storage, storageWords[status.storage]);
  });

  return h(
    "header",
    { class: "top-bar" },
    h("a", { class: "brand", href: "./" }, icon("mark", 20), h("span", {}, "flockstate")),
    h("span", { class: "room-name", title: "The room" }, h("span", { class: "slash" }, "/"), room.id),
    h("span", { class: "spacer" }),
    pending,
    storage,
    createNetworkSwitch(room),
    createThemeButton(),
  );
}
