import type { RoomStatus } from "flockstate";
import type { FlockRoom } from "../flock/state.ts";
import { h, setAttribute, setText } from "./dom.ts";
import { watch } from "./watch.ts";

/** The switch that cuts this browser off and lets it come back. */
export function createNetworkSwitch(room: FlockRoom): HTMLElement {
  let wanted = true;
  const state = h("span", { class: "network-state", "data-testid": "network-state" });
  const button = h(
    "button",
    {
      class: "network-switch",
      type: "button",
      role: "switch",
      "data-testid": "network-switch",
      "aria-label": "Network",
      onclick: toggle,
    },
    h("span", { class: "network-track" }, h("span", { class: "network-thumb" })),
    state,
  );

  function toggle() {
    wanted = !wanted;
    if (wanted) room.connect();
    else room.disconnect();
    render();
  }

  function render() {
    const { network } = room.status.get();
    setAttribute(button, "aria-checked", String(wanted));
    setAttribute(button, "data-network", network);
    setAttribute(button, "title", wanted ? "Cut the network" : "Restore the network");
    setAttribute(state, "data-state", network);
    setText(state, networkWord(network, wanted));
  }

  watch([room.status], render);
  return button;
}

function networkWord(network: RoomStatus["network"], wanted: boolean): string {
  if (!wanted) return "Cut off";
  if (network === "online") return "Online";
  return network === "connecting" ? "Connecting" : "Offline";
}
