import type { FlockRoom } from "../flock/state.ts";
import { diffText, movePosition, type TextDelta } from "./text-diff.ts";

type SharedText = FlockRoom["state"]["notes"];

/**
 * Binds a textarea to a shared text: what is typed becomes the smallest edit, and what others write appears without
 * moving the caret off its place. While an input method composes, others' changes wait.
 */
export function bindTextarea(area: HTMLTextAreaElement, text: SharedText, room: FlockRoom): void {
  let shown = text.get();
  let composing = false;
  let waiting: TextDelta[][] = [];
  area.value = shown;

  function writeOwn() {
    const edit = diffText(shown, area.value, area.selectionEnd);
    const index = edit && waiting.reduce((position, delta) => movePosition(position, delta), edit.index);
    shown = area.value;
    if (edit === undefined || index === undefined) return;
    const { removed, inserted } = edit;
    room.transact(() => {
      if (removed > 0) text.delete(index, Math.min(removed, text.y.length - index));
      if (inserted !== "") text.insert(index, inserted);
    });
  }

  function showOthers() {
    const [start, end] = [area.selectionStart, area.selectionEnd].map((position) =>
      waiting.reduce((moved, delta) => movePosition(moved, delta), position),
    );
    const scroll = area.scrollTop;
    waiting = [];
    // Read from the type itself: its observers run before the snapshot is renewed.
    shown = text.y.toString();
    if (area.value === shown) return;
    area.value = shown;
    area.setSelectionRange(start ?? 0, end ?? 0);
    area.scrollTop = scroll;
  }

  area.addEventListener("compositionstart", () => {
    composing = true;
  });
  area.addEventListener("compositionend", () => {
    composing = false;
    writeOwn();
    showOthers();
  });
  area.addEventListener("input", () => {
    if (!composing) writeOwn();
  });
  text.y.observe((event) => {
    if (event.transaction.local) return;
    waiting.push(event.delta);
    if (!composing) showOthers();
  });
}
