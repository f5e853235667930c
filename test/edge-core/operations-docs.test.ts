import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { projectDir } from "../../scripts/lib/doors.mjs";
import type { ErrorCode } from "../../src/base/index.ts";
import { defaultRoomLimits } from "../../src/edge/index.ts";
import { formatMetrics } from "../../src/edge/operations/exposition.ts";
import { emptyHistogram } from "../../src/edge/operations/metrics-report.ts";
import { maxRevocations } from "../../src/edge/room/revocations.ts";
import { closeCodeOf, maxFrameBytes, maxReferenceBytes, maxSignalBytes } from "../../src/protocol/index.ts";
import { readExposition } from "./exposition-reader.ts";

const read = (path: string) => readFileSync(`${projectDir}${path}`, "utf8");
const deploy = read("docs/deploy.md");

interface Panel {
  id: number;
  type: string;
  title: string;
  gridPos: { x: number; y: number; w: number; h: number };
  targets?: { expr: string }[];
}

const dashboard = JSON.parse(read("docs/grafana/flockstate.json")) as { panels: Panel[] };
const families = readExposition(
  formatMetrics({ counts: [], gauges: {}, writes: emptyHistogram(), rooms: 0, reports: 0 }, "1"),
);
const histograms = [...families].filter(([, { type }]) => type === "histogram").map(([name]) => name);

/** The families that a text names, as queries and tables do. */
function familiesIn(text: string): Set<string> {
  const names = text.match(/\bflockstate_[a-z_]+/g) ?? [];
  return new Set(
    names.map(
      (name) =>
        histograms.find((histogram) => new RegExp(`^${histogram}_(bucket|sum|count)$`).test(name)) ?? name,
    ),
  );
}

describe("the dashboard", () => {
  const panels = dashboard.panels.filter(({ type }) => type !== "row");
  const queried = familiesIn(
    panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr)).join("\n"),
  );

  test("METRICS-10: it queries every metric of the exposition, and no other", () => {
    expect([...queried].sort()).toEqual([...families.keys()].sort());
  });

  test("METRICS-10: every panel has a query and a place of its own", () => {
    expect(new Set(dashboard.panels.map(({ id }) => id)).size).toBe(dashboard.panels.length);
    for (const { targets } of panels) expect(targets?.length).toBeGreaterThan(0);
    const places = dashboard.panels.flatMap(({ gridPos: { x, y, w, h } }) =>
      Array.from({ length: w * h }, (_, index) => `${x + (index % w)},${y + Math.floor(index / w)}`),
    );
    expect(new Set(places).size).toBe(places.length);
    expect(Math.max(...dashboard.panels.map(({ gridPos: { x, w } }) => x + w))).toBe(24);
  });
});

describe("docs/deploy.md", () => {
  test("METRICS-10: it says of every metric what it tells, and names no other", () => {
    expect([...familiesIn(deploy)].sort()).toEqual([...families.keys()].sort());
  });

  test("DEPLOY-4: it names every setting of the relay, and no other", () => {
    const named = (text: string) => new Set(text.match(/\bFLOCKSTATE_[A-Z_]+/g) ?? []);
    const settings = named(read("src/edge/http/settings.ts"));
    settings.delete("FLOCKSTATE_");
    expect([...named(deploy)].sort()).toEqual([...settings].sort());
    // Development mode is not for a machine that others reach.
    settings.delete("FLOCKSTATE_DEVELOPMENT");
    expect([...named(read("deploy/workerd.capnp"))].sort()).toEqual([...settings].sort());
  });

  test("DEPLOY-4: it names every limit with its default, and the close codes that go with its code", () => {
    const rows = deploy.split("\n").filter((line) => line.startsWith("| "));
    const numbered = (value: number) => value.toLocaleString("en-US");
    for (const [name, value] of Object.entries(defaultRoomLimits)) {
      const row = rows.find((line) => line.startsWith(`| \`${name}\``));
      expect(row, name).toContain(`| ${numbered(value)}`);
    }
    for (const value of [maxFrameBytes, maxSignalBytes, maxReferenceBytes, maxRevocations]) {
      expect(deploy).toContain(`| ${numbered(value)} |`);
    }
    const closing = [...deploy.matchAll(/\| `([a-z/-]+)` \|.*closes with (\d{4})/g)];
    expect(closing.length).toBeGreaterThan(6);
    for (const [, code, closeCode] of closing) {
      expect(closeCodeOf(code as ErrorCode), code).toBe(Number(closeCode));
    }
  });

  test("DEPLOY-4: the runtime of one's own machine has the date of the deployment", () => {
    const [, date] = /^compatibility_date = "(.+)"$/m.exec(read("wrangler.toml")) ?? [];
    expect(read("deploy/workerd.capnp")).toContain(`compatibilityDate = "${date}"`);
  });
});
