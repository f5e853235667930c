import { isFlockError } from "flockstate";
import { TableError } from "../data/table.ts";
import type { Planner } from "../flock/planner.ts";
import { h, setAttribute } from "./dom.ts";
import { movies } from "./prepared.ts";
import type { Toasts } from "./toasts.ts";

/** The ways by which data comes in. */
export interface Intake {
  readonly fileInput: HTMLInputElement;
  analyseMovies(): Promise<void>;
  chooseFile(): void;
}

/** What the largest file may be, in bytes: what one reference may carry. */
const maxFileBytes = 32 * 1024 * 1024;

/** Takes data in from the prepared set, the file button, and files dropped anywhere on the page. */
export function createIntake(planner: Planner, toasts: Toasts, onAdded: (name: string) => void): Intake {
  const fileInput = h("input", {
    type: "file",
    class: "visually-hidden",
    accept: ".csv,.tsv,.txt,.json,.ndjson,.jsonl,text/csv,application/json",
    "data-testid": "file-input",
    "aria-label": "Choose a CSV or JSON file",
    tabindex: -1,
    multiple: true,
    onchange: () => {
      void addFiles(fileInput.files);
      fileInput.value = "";
    },
  });

  async function add(name: string, read: () => Promise<Uint8Array>) {
    try {
      await planner.analyse(name, await read());
      onAdded(name);
    } catch (problem) {
      const code = problem instanceof TableError || isFlockError(problem) ? problem.code : "unreadable";
      toasts.show(code, `${name}: ${problem instanceof Error ? problem.message : String(problem)}`);
    }
  }

  async function addFiles(files: FileList | null | undefined) {
    for (const file of [...(files ?? [])]) {
      await add(file.name, async () => {
        if (file.size > maxFileBytes) throw new TableError("too-large", "The demo takes files up to 32 MB.");
        return new Uint8Array(await file.arrayBuffer());
      });
    }
  }

  let depth = 0;
  const mark = (change: number) => {
    depth = Math.max(0, depth + change);
    setAttribute(document.body, "data-dropping", depth > 0);
  };
  const hasFiles = (event: DragEvent) => event.dataTransfer?.types.includes("Files") === true;
  document.addEventListener("dragenter", (event) => hasFiles(event) && mark(1));
  document.addEventListener("dragleave", (event) => hasFiles(event) && mark(-1));
  document.addEventListener("dragover", (event) => hasFiles(event) && event.preventDefault());
  document.addEventListener("drop", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    mark(-depth);
    void addFiles(event.dataTransfer?.files);
  });

  return {
    fileInput,
    analyseMovies: () => add(movies.name, movies.load),
    chooseFile: () => fileInput.click(),
  };
}
