import { type ColumnFinding, correlationsName } from "../flock/finding.ts";
import { hueOf, readAgentName } from "../flock/names.ts";
import type { Said } from "../flock/said.ts";
import type { FlockRoom } from "../flock/state.ts";
import { deriveReport, type Report, type TaskProgress } from "../report/derive.ts";
import { formatBytes, formatCount } from "../report/format.ts";
import type { CorrelationMatrix } from "../stats/correlation.ts";
import { columnCard } from "./column-card.ts";
import { correlationCard } from "./correlation-card.ts";
import type { DatasetChoice } from "./dataset-choice.ts";
import { h, setAttribute, setText } from "./dom.ts";
import { keyedList, type View } from "./keyed-list.ts";
import { shortHash, shortName } from "./message-words.ts";
import { createProgress } from "./progress.ts";
import { watch } from "./watch.ts";

/** One place in the grid: a task, and its finding once it is there. */
interface Slot {
  readonly task: TaskProgress;
  readonly found: ColumnFinding | CorrelationMatrix | undefined;
  readonly dataset: string;
}

/** The parts of the report that the page lays out. */
export interface ReportView {
  readonly head: HTMLElement;
  readonly summary: HTMLElement;
  readonly findings: HTMLElement;
}

/** Shows the report of the chosen data set, derived anew whenever something that it rests on has changed. */
export function createReportView(room: FlockRoom, said: Said, choice: DatasetChoice): ReportView {
  const title = h("h1", {});
  const meta = h("p", { class: "report-meta" });
  const progress = createProgress();
  const summary = h("p", { class: "summary", "data-testid": "summary" });
  const byline = h("span", { class: "panel-note" });
  const grid = h("div", { class: "cards" });
  const cards = keyedList(grid, {
    key: ({ task }: Slot) => task.id,
    create: slotView,
  });

  watch([choice, said, room.state.findings, room.state.summaries], () => {
    const dataset = choice.get();
    if (dataset === undefined) return;
    const report = deriveReport(dataset, room.state.findings.get(), said.get());
    const { name, rows, columns, reference } = dataset;
    setText(title, name);
    setText(
      meta,
      [
        `${formatCount(rows)} rows`,
        `${formatCount(columns.length)} columns`,
        formatBytes(reference.size),
        `sha256\u00a0${shortHash(reference.id)}…`,
      ].join("  ·  "),
    );
    progress.show(report);
    cards.show(slotsOf(report));
    const words = room.state.summaries.get()[dataset.id];
    setAttribute(summary, "data-waiting", words === undefined);
    setText(byline, report.summariser === undefined ? "" : `by ${shortName(report.summariser)}`);
    setText(summary, words ?? "The writer sums up once every finding is in.");
  });

  return {
    head: h(
      "header",
      { class: "report-head" },
      h("div", { class: "report-title" }, title, meta),
      progress.element,
    ),
    summary: h(
      "section",
      { class: "panel panel-summary", "aria-labelledby": "summary-title" },
      h("header", { class: "panel-head" }, h("h2", { id: "summary-title" }, "Summary"), byline),
      summary,
    ),
    findings: grid,
  };
}

/** Columns in their order; how they relate stands last. */
function slotsOf({ dataset, tasks, columns, correlation }: Report): Slot[] {
  const byName = new Map(columns.map((finding) => [finding.id, finding]));
  return tasks.map((task) => ({
    task,
    dataset: dataset.id,
    found: byName.get(task.id) ?? (task.column === correlationsName ? correlation : undefined),
  }));
}

function slotView({ task }: Slot): View<Slot> {
  const element = h("div", { class: "slot", "data-wide": task.id.endsWith(`/${correlationsName}`) });
  const name = h("h3", {}, task.column);
  const state = h("span", { class: "slot-state" });
  const credit = h("span", { class: "credit" });
  let shown = false;
  element.append(h("div", { class: "card card-waiting" }, name, state));
  return {
    element,
    update({ task: { state: progress, agent }, found, dataset }) {
      setAttribute(element, "data-state", progress);
      const suffix = agent === undefined ? undefined : readAgentName(agent)?.suffix;
      setAttribute(element, "style", suffix === undefined ? undefined : `--hue:${hueOf(suffix)}`);
      const who = agent === undefined ? "" : shortName(agent);
      setText(state, progress === "dealt" ? `with ${who}` : "waiting");
      setText(credit, who);
      setAttribute(credit, "title", `Found by ${who}`);
      if (shown || found === undefined) return;
      // A finding never changes, so its card is drawn once and selections in it survive.
      shown = true;
      const card = "columns" in found ? correlationCard(found, dataset) : columnCard(found);
      (card.querySelector(".card-foot") ?? card.querySelector(".card-head"))?.append(credit);
      element.replaceChildren(card);
    },
  };
}
