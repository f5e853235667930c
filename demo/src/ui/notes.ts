import type { FlockRoom } from "../flock/state.ts";
import { bindTextarea } from "./bind-textarea.ts";
import { h, setAttribute } from "./dom.ts";
import { createPanel } from "./panel.ts";
import type { People } from "./people.ts";
import { watch } from "./watch.ts";

/** The notes that people write together while the agents work. */
export function createNotes(room: FlockRoom, people: People): HTMLElement {
  const area = h("textarea", {
    class: "notes-area",
    "data-testid": "notes",
    "aria-labelledby": "notes-title",
    placeholder: "What do you make of it? Everyone in the room writes here, offline too.",
    spellcheck: "false",
    rows: 4,
    onfocus: () => people.setWriting(true),
    onblur: () => people.setWriting(false),
  });
  bindTextarea(area, room.state.notes, room);
  const panel = createPanel("Notes", "notes", area);
  const note = panel.element.querySelector(".panel-note");

  watch([people], () => {
    const writing = people.list().filter(({ isWriting, isYou }) => isWriting && !isYou);
    const names = writing.map(({ name }) => name).join(", ");
    panel.setNote(names === "" ? "by people" : `${names} ${writing.length === 1 ? "is" : "are"} writing`);
    if (note) setAttribute(note, "data-live", names !== "");
  });
  return panel.element;
}
