import { type Pace, paces } from "../flock/pace.ts";
import { h } from "./dom.ts";

/** The choice of how long this browser's analyst pauses before each task. */
export function createPaceControl(pace: Pace): HTMLElement {
  const offered = paces.some(({ ms }) => ms === pace.get())
    ? paces
    : [...paces, { label: "As in the address", ms: pace.get() }];
  const select = h(
    "select",
    { "aria-describedby": "pace-hint", onchange: () => pace.set(Number(select.value)) },
    ...offered.map(({ label, ms }) =>
      h("option", { value: ms, selected: ms === pace.get() }, ms === 0 ? label : `${label}, ${ms} ms a task`),
    ),
  );
  return h(
    "label",
    { class: "pace", title: "The statistics take a few milliseconds; the pause makes the work visible." },
    h("span", { id: "pace-hint" }, "Pause"),
    select,
  );
}
