import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Figure, reportAll } from "../measure.ts";
import type { Opening } from "./history.ts";

const histories = [1_000, 100_000, 1_000_000];

/** Runs a task of `session.ts` in a process of its own, where nothing else lives, and returns what it printed. */
function runSession(session: string, ...task: string[]): string {
  return execFileSync(process.execPath, ["--expose-gc", session, ...task], { encoding: "utf8" });
}

/** Heap a live message takes. */
export function measureMemory(runs: number, session: string): void {
  const ours: Figure = { name: "flockstate: document, entry, log", unit: "B", runs: [] };
  const bare: Figure = { name: "peer: bare Yjs, objects", unit: "B", runs: [] };
  for (let run = 0; run < runs; run++) {
    const bytes = JSON.parse(runSession(session, "live")) as { reader: number; bare: number };
    ours.runs.push(bytes.reader);
    bare.runs.push(bytes.bare);
  }
  reportAll("Heap a live message", [ours], bare);
}

/** From `openRoom` until an agent, the list of messages and a view over all of history are there, by length of history. */
export function measureOpening(runs: number, session: string): void {
  const directory = mkdtempSync(join(tmpdir(), "flockstate-lanes-"));
  try {
    const openings = new Map<number, Opening[]>(histories.map((count) => [count, []]));
    for (const count of histories) runSession(session, "build", join(directory, `${count}`), `${count}`);
    // The first reads the files, the others find them in the memory of the machine.
    for (let run = -1; run < runs; run++) {
      for (const [count, all] of openings) {
        const opening = JSON.parse(runSession(session, "open", join(directory, `${count}`))) as Opening;
        if (opening.folded !== count) throw new Error(`The view has ${opening.folded} of ${count} messages.`);
        if (run >= 0) all.push(opening);
      }
    }
    const named = (of: (opening: Opening) => number, unit: string): Figure[] =>
      [...openings].map(([count, all]) => ({
        name: `after ${count.toLocaleString("en")} messages`,
        unit,
        runs: all.map(of),
      }));
    const tell = (title: string, of: (opening: Opening) => number, unit: string): void => {
      const [first, ...longer] = named(of, unit);
      reportAll(title, longer, first as Figure);
    };
    tell("Opening a room, its agent, list and view (the bar: a ratio of 1.5)", ({ view }) => view, "ms");
    tell("The processor's time for it", ({ cpu }) => cpu, "ms");
    tell("Messages that are live then", ({ live }) => live, "");
    tell("Heap then", ({ heap }) => heap / 1_000_000, "MB");
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
