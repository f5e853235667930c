import type { Reference } from "flockstate";
import { readDataset } from "../flock/dataset.ts";
import type { Said } from "../flock/said.ts";
import type { FlockRoom } from "../flock/state.ts";
import { formatBytes } from "../report/format.ts";
import { h, setAttribute } from "./dom.ts";
import { icon } from "./icons.ts";
import { keyedList, type View } from "./keyed-list.ts";
import { shortHash } from "./message-words.ts";
import { createPanel } from "./panel.ts";
import { watch } from "./watch.ts";

interface ReferenceView {
  readonly reference: Reference;
  readonly name: string;
  readonly state: Place;
  readonly here: boolean;
}

type Place = NonNullable<ReturnType<FlockRoom["refs"]["state"]>>["state"];

const places: Readonly<Record<Place, string>> = {
  local: "not sent yet",
  uploading: "on its way to the relay",
  remote: "at the relay",
  missing: "nowhere that can be reached",
  corrupt: "damaged: it will be fetched again",
};

/** The panel of references: bytes that messages name by their hash, and where those bytes are. */
export function createReferenceList(room: FlockRoom, said: Said): HTMLElement {
  const list = h("ul", { class: "references" });
  const empty = h("p", { class: "empty" }, "Big content travels as a hash. None has been named yet.");
  const panel = createPanel("References", "references", empty, list);
  const rows = keyedList(list, { key: ({ reference }: ReferenceView) => reference.id, create: referenceRow });

  function render() {
    const named = new Map<string, { reference: Reference; name: string }>();
    for (const message of said.get()) {
      const { reference } = message;
      if (reference === undefined || named.has(reference.id)) continue;
      named.set(reference.id, { reference, name: readDataset(message)?.name ?? message.type });
    }
    const views = [...named.values()].map((each): ReferenceView => {
      // One that was never met here was announced by another browser, which uploads it.
      const { here, state } = room.refs.state(each.reference.id) ?? { here: false, state: "remote" };
      return { ...each, here, state };
    });
    rows.show(views.toReversed());
    setAttribute(empty, "hidden", views.length > 0);
    const bytes = views.reduce((sum, { reference }) => sum + reference.size, 0);
    panel.setNote(views.length === 0 ? "" : formatBytes(bytes));
  }

  const changes = { subscribe: (listener: () => void) => room.refs.onChange(listener) };
  watch([said, room.status, changes], render);
  return panel.element;
}

function referenceRow({ reference, name }: ReferenceView): View<ReferenceView> {
  const sign = h("span", { class: "reference-state" });
  const element = h(
    "li",
    { class: "reference", "data-testid": "reference-row", "data-id": reference.id },
    h("span", { class: "reference-name" }, name),
    h("span", { class: "reference-size" }, formatBytes(reference.size)),
    h("code", { class: "reference-id", title: `sha256 ${reference.id}` }, shortHash(reference.id)),
    sign,
  );
  return {
    element,
    update({ state, here }) {
      if (element.dataset["state"] === state && element.dataset["here"] === String(here)) return;
      setAttribute(element, "data-state", state);
      setAttribute(element, "data-here", String(here));
      setAttribute(sign, "title", `${here ? "Here, and" : "Not here, but"} ${places[state]}`);
      const isVerified = here && state !== "corrupt";
      const place = here && state === "remote" ? "here and at the relay" : state;
      sign.replaceChildren(
        ...(isVerified ? [h("span", { class: "verified" }, icon("shield", 13), "verified")] : []),
        h("span", { class: "place" }, place),
      );
    },
  };
}
