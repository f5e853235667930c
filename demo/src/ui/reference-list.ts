import type { Reference } from "flockstate";
import { readDataset } from "../flock/dataset.ts";
import type { FlockRoom } from "../flock/state.ts";
import { formatBytes } from "../report/format.ts";
import { h, setAttribute } from "./dom.ts";
import { icon } from "./icons.ts";
import { keyedList } from "./keyed-list.ts";
import { shortHash } from "./message-words.ts";
import { createPanel } from "./panel.ts";
import { watch } from "./watch.ts";

interface ReferenceView {
  readonly reference: Reference;
  readonly name: string;
  readonly state: string;
  readonly here: boolean;
}

const places: Readonly<Record<string, string>> = {
  local: "only here, not sent yet",
  uploading: "here, on its way to the relay",
  remote: "at the relay",
  missing: "nowhere that can be reached",
  corrupt: "damaged: it will be fetched again",
};

/** The panel of references: bytes that messages name by their hash, and where those bytes are. */
export function createReferenceList(room: FlockRoom): HTMLElement {
  const list = h("ul", { class: "references" });
  const empty = h("p", { class: "empty" }, "Big content travels as a hash. None has been named yet.");
  const panel = createPanel("References", "references", empty, list);
  const show = keyedList<ReferenceView, HTMLElement>(list, {
    key: ({ reference }) => reference.id,
    create: createRow,
    update: updateRow,
  });

  async function render() {
    const named = new Map<string, { reference: Reference; name: string }>();
    for (const message of room.messages.get()) {
      const { reference } = message;
      if (reference === undefined || named.has(reference.id)) continue;
      named.set(reference.id, { reference, name: readDataset(message)?.name ?? message.type });
    }
    const views = await Promise.all(
      [...named.values()].map(async (each) => ({ ...each, ...(await room.refs.state(each.reference.id)) })),
    );
    show(views.reverse());
    setAttribute(empty, "hidden", views.length > 0);
    const bytes = views.reduce((sum, { reference }) => sum + reference.size, 0);
    panel.setNote(views.length === 0 ? "" : formatBytes(bytes));
  }

  const changes = { subscribe: (listener: () => void) => room.refs.onChange(listener) };
  watch([room.messages, room.status, changes], () => void render());
  return panel.element;
}

function createRow({ reference, name }: ReferenceView): HTMLElement {
  return h(
    "li",
    { class: "reference", "data-testid": "reference-row", "data-id": reference.id },
    h("span", { class: "reference-name" }, name),
    h("span", { class: "reference-size" }, formatBytes(reference.size)),
    h("code", { class: "reference-id", title: `sha256 ${reference.id}` }, shortHash(reference.id)),
    h("span", { class: "reference-state" }),
  );
}

function updateRow(row: HTMLElement, { state, here }: ReferenceView): void {
  const sign = row.lastElementChild;
  const verified = here && state !== "corrupt";
  if (row.dataset["state"] === state && row.dataset["here"] === String(here)) return;
  setAttribute(row, "data-state", state);
  setAttribute(row, "data-here", String(here));
  sign?.replaceChildren(
    ...(verified ? [icon("shield", 13), h("span", { class: "verified" }, "verified")] : []),
    h("span", { class: "place", "data-state": state }, here && state === "remote" ? "here + relay" : state),
  );
  if (sign) setAttribute(sign, "title", `${here ? "Here and" : "Not here;"} ${places[state] ?? state}`);
}
