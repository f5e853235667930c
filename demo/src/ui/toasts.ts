import type { FlockRoom } from "../flock/state.ts";
import { h, setText } from "./dom.ts";
import { icon } from "./icons.ts";

/** Where problems are shown. */
export interface Toasts {
  readonly element: HTMLElement;
  /** Shows a problem; the same one again only counts up. */
  show(code: string, message: string): void;
}

const shownMs = 12_000;
const maxToasts = 4;

/** Creates the place for problems, fed by the room's own. */
export function createToasts(): Toasts {
  const element = h("div", { class: "toasts", role: "status", "aria-live": "polite" });
  const open = new Map<string, { count: number; again(): void }>();

  function show(code: string, message: string) {
    const key = `${code} ${message}`;
    const known = open.get(key);
    if (known !== undefined) return known.again();
    const times = h("span", { class: "toast-times" });
    const close = () => {
      clearTimeout(timer);
      toast.remove();
      open.delete(key);
    };
    const toast = h(
      "div",
      { class: "toast", "data-testid": "toast", "data-code": code },
      h("div", { class: "toast-head" }, h("code", {}, code), times),
      h("p", {}, message),
      h(
        "button",
        { class: "icon-button", type: "button", "aria-label": "Dismiss", onclick: close },
        icon("close", 14),
      ),
    );
    let timer = setTimeout(close, shownMs);
    const entry = {
      count: 1,
      again() {
        entry.count += 1;
        setText(times, `× ${entry.count}`);
        clearTimeout(timer);
        timer = setTimeout(close, shownMs);
      },
    };
    open.set(key, entry);
    element.append(toast);
    if (element.children.length > maxToasts) element.firstElementChild?.querySelector("button")?.click();
  }

  return { element, show };
}

/** Shows what the room reports. */
export function showProblems(room: FlockRoom, toasts: Toasts): void {
  room.onProblem(({ code, message }) => toasts.show(code, message));
}
