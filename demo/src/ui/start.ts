import { formatBytes } from "../report/format.ts";
import { h, setText } from "./dom.ts";
import type { Intake } from "./intake.ts";
import { movies } from "./prepared.ts";

const steps = [
  [
    "planner",
    "A planner deals the columns out to every analyst that is online, in this browser and in others.",
  ],
  [
    "analyst",
    "Analysts compute: types, gaps, distributions, outliers, correlations. Each finding is shared state.",
  ],
  ["writer", "A writer sums up. You read along, edit the notes, or cut the network: the work goes on."],
] as const;

/** What a room without data shows: what will happen, and how to begin. */
export function createStart(intake: Intake): HTMLElement {
  const label = h("span", {}, "Analyse this data");
  const button = h(
    "button",
    { class: "button button-primary", type: "button", "data-testid": "analyse-movies", onclick: begin },
    label,
  );

  async function begin() {
    button.disabled = true;
    setText(label, "Reading …");
    await intake.analyseMovies();
    button.disabled = false;
    setText(label, "Analyse this data");
  }

  return h(
    "section",
    { class: "start" },
    h("h1", {}, "A flock analyses a data set."),
    h(
      "p",
      { class: "lead" },
      "Agents in every open browser share the work, with no server in charge. They carry on offline and agree again when they meet.",
    ),
    h(
      "div",
      { class: "offers" },
      h(
        "div",
        { class: "offer" },
        h("h2", {}, movies.title),
        h("p", {}, movies.about),
        h("p", { class: "offer-note" }, `${formatBytes(movies.sizeBytes)}, so it travels by reference.`),
        button,
      ),
      h(
        "div",
        { class: "offer offer-drop" },
        h("h2", {}, "Your own file"),
        h(
          "p",
          {},
          "Drop a CSV or JSON anywhere on this page. It stays between this browser, its room and the relay.",
        ),
        h("button", { class: "button", type: "button", onclick: () => intake.chooseFile() }, "Choose a file"),
      ),
    ),
    h(
      "ol",
      { class: "steps" },
      ...steps.map(([role, text]) =>
        h("li", { "data-role": role }, h("span", { class: "step-role" }, role), h("span", {}, text)),
      ),
    ),
  );
}
