import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Page } from "@playwright/test";
import type { Agent, Room } from "flockstate";
import { build } from "vite";
import { projectDir } from "../../scripts/lib/doors.mjs";
import { startTestRelay, type TestRelay } from "./relay.ts";

declare global {
  interface Window {
    /** What the demo leaves for the curious. */
    flock?: { room: Room; agents: { planner: Agent } };
  }
}

/** Builds the demo into a folder of its own and starts a relay that serves it, as `npm start` does. */
export async function startDemo(): Promise<TestRelay> {
  const outDir = await mkdtemp(join(tmpdir(), "flockstate-e2e-demo-"));
  await build({ configFile: `${projectDir}vite.config.ts`, logLevel: "warn", build: { outDir } });
  const relay = await startTestRelay({ assets: outDir });
  return {
    ...relay,
    async remove() {
      await relay.remove();
      await rm(outDir, { recursive: true, force: true });
    },
  };
}

/** What a page of the demo shows as its report: every finding by column, the summary and the notes. */
export interface ShownReport {
  readonly findings: Readonly<Record<string, string>>;
  readonly summary: string;
  readonly notes: string;
}

/** Reads the report as a person would see it. */
export async function shownReport(page: Page): Promise<ShownReport> {
  const findings = await page
    .getByTestId("finding")
    .evaluateAll((cards) =>
      cards.map((card) => [card.getAttribute("data-column") ?? "", card.textContent ?? ""] as const),
    );
  return {
    findings: Object.fromEntries(findings.toSorted(([a], [b]) => (a < b ? -1 : 1))),
    summary: (await page.getByTestId("summary").textContent()) ?? "",
    notes: await page.getByTestId("notes").inputValue(),
  };
}

/** The ids of the messages that a page of the demo lists. */
export async function shownMessageIds(page: Page): Promise<string[]> {
  const rows = page.getByTestId("message-row");
  return rows.evaluateAll((all) => all.map((row) => row.getAttribute("data-id") ?? ""));
}
