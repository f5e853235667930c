import type { Flock } from "../flock/flock.ts";
import type { Pace } from "../flock/pace.ts";
import type { FlockRoom } from "../flock/state.ts";
import { createDatasetChoice } from "./dataset-choice.ts";
import { createDatasetTabs } from "./dataset-tabs.ts";
import { h, setAttribute } from "./dom.ts";
import { createIntake } from "./intake.ts";
import { createInvite } from "./invite.ts";
import { createMessageList } from "./message-list.ts";
import { createNotes } from "./notes.ts";
import { createPaceControl } from "./pace-control.ts";
import { createPeople } from "./people.ts";
import { createReferenceList } from "./reference-list.ts";
import { createReportView } from "./report-view.ts";
import { createRoster } from "./roster.ts";
import { createStart } from "./start.ts";
import { createSwimlanes } from "./swimlanes.ts";
import { createToasts, showProblems } from "./toasts.ts";
import { createTopBar } from "./top-bar.ts";
import { createViewSwitch } from "./view-switch.ts";
import { watch } from "./watch.ts";

/** What the page shows. */
export interface AppParts {
  readonly room: FlockRoom;
  readonly flock: Flock;
  readonly suffix: string;
  readonly pace: Pace;
}

/** Builds the page into `root`. */
export function mountApp(root: HTMLElement, { room, flock, suffix, pace }: AppParts): void {
  const toasts = createToasts();
  showProblems(room, toasts);
  const people = createPeople(room, suffix);
  const { said } = flock;
  const choice = createDatasetChoice(said);
  const intake = createIntake(flock.planner, toasts, (name) => choice.expect(name));
  const messages = createMessageList(room, said);
  const report = createReportView(room, said, choice);
  const viewSwitch = createViewSwitch();
  const swimlanes = createSwimlanes(room, (id) => {
    setAttribute(document.body, "data-view", "messages");
    messages.reveal(id);
  });

  const start = createStart(intake);
  const body = h(
    "div",
    { id: "report", class: "report", "data-testid": "report" },
    report.head,
    h("div", { class: "words" }, report.summary, createNotes(room, people)),
    swimlanes,
    report.findings,
  );
  const workspace = h(
    "div",
    { class: "workspace" },
    h("div", { class: "workspace-bar" }, createDatasetTabs(choice, intake), createPaceControl(pace)),
    body,
  );

  root.replaceChildren(
    createTopBar(room),
    h(
      "div",
      { class: "page" },
      h("main", { class: "main" }, start, workspace),
      h(
        "aside",
        { class: "side", "aria-label": "The flock at work" },
        createRoster(said, people),
        messages.element,
        createReferenceList(room, said),
        createInvite(room),
      ),
    ),
    viewSwitch,
    toasts.element,
    intake.fileInput,
    h(
      "div",
      { class: "drop-veil", "aria-hidden": "true" },
      h("p", {}, "Drop it: the flock takes it from here."),
    ),
  );

  watch([choice], () => {
    const isEmpty = choice.all().length === 0;
    setAttribute(start, "hidden", !isEmpty);
    setAttribute(workspace, "hidden", isEmpty);
  });
}
