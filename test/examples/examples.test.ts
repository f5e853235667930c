import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import "fake-indexeddb/auto";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { readSources } from "../../scripts/lib/architecture.mjs";
import { projectDir, readDoors } from "../../scripts/lib/doors.mjs";
import { commandPath } from "../../scripts/lib/run.mjs";
import { drivers } from "../node/drivers.ts";
import { type Door, exportsOf } from "./doors.ts";
import { type Example, examplesOfMarkdown, examplesOfSource } from "./extract.ts";
import { bytes, directory } from "./given.ts";
import { countAssertions, leadingValue, moduleOf } from "./transform.ts";

const generated = "test/examples/.generated";
const sources = readSources("src");

/** The public doors first, then the inner ones, then what is given. */
function readAllDoors(): Door[] {
  const publicDoors = readDoors().map(({ specifier, source }) => ({
    specifier,
    path: source.slice("src/".length),
  }));
  const innerDoors = [...sources.keys()]
    .filter((path) => /^[^/]+\/index\.ts$/.test(path))
    .map((path) => ({ specifier: `../../../src/${path}`, path }));
  const given = new Map([["given.ts", readFileSync(`${projectDir}test/examples/given.ts`, "utf8")]]);
  return [
    ...[...publicDoors, ...innerDoors]
      .filter(({ path }) => sources.has(path))
      .map(({ specifier, path }) => ({ specifier, names: exportsOf(path, sources) })),
    { specifier: "../given.ts", names: exportsOf("given.ts", given) },
  ];
}

function readExamples(): Example[] {
  const inSources = [...sources].flatMap(([path, source]) => examplesOfSource(`src/${path}`, source));
  const inPages = ["README.md", "docs/node.md", "docs/simulator.md"].flatMap((page) =>
    examplesOfMarkdown(page, readFileSync(projectDir + page, "utf8")),
  );
  return [...inSources, ...inPages];
}

const betterSqlite = drivers.find(({ name }) => name === "better-sqlite3");
const noDriver = drivers.every(({ missing }) => missing) ? "no driver of SQLite is here" : undefined;

afterAll(() => rmSync(directory, { recursive: true, force: true }));

const doors = readAllDoors();
const modules = readExamples().map((example, index) => ({
  origin: example.origin,
  file: `example-${index}.ts`,
  text: moduleOf(example, doors),
}));
const wrongValue = moduleOf({ origin: "control", code: 'isId("a"); // false' }, doors);
const wrongType = moduleOf({ origin: "control", code: "isId();" }, doors);

let diagnostics: string[] = [];

beforeAll(() => {
  // Examples name a relay that nobody runs: it holds the file that is given to them.
  vi.stubGlobal("fetch", async () => new Response(bytes));
  rmSync(projectDir + generated, { recursive: true, force: true });
  mkdirSync(projectDir + generated, { recursive: true });
  const write = (file: string, text: string) => writeFileSync(`${projectDir}${generated}/${file}`, text);
  for (const { file, text } of modules) write(file, text);
  write("wrong-value.ts", wrongValue);
  write("wrong-type.ts", wrongType);
  write(
    "tsconfig.json",
    JSON.stringify({ extends: "../../../tsconfig.json", include: ["*.ts"], exclude: [] }),
  );
  const run = spawnSync(
    process.execPath,
    [commandPath("typescript", "tsc"), "-p", `${projectDir}${generated}`],
    {
      cwd: projectDir,
      encoding: "utf8",
    },
  );
  // An error elsewhere is for `npm run types` to tell.
  diagnostics = run.stdout.split("\n").filter((line) => line.startsWith(`${generated}/`));
}, 60_000);

const load = (file: string): Promise<unknown> =>
  import(/* @vite-ignore */ `${projectDir}${generated}/${file}`);
const diagnosticsOf = (file: string) => diagnostics.filter((line) => line.startsWith(`${generated}/${file}`));

describe("examples", () => {
  it("DOC-1 are found", () => {
    expect(modules.length).toBeGreaterThan(1);
    expect(modules.some(({ text }) => countAssertions(text) > 0)).toBe(true);
  });

  for (const { origin, file, text } of modules) {
    const missing = text.includes("better-sqlite3") ? betterSqlite?.missing : noDriver;
    const skipped = text.includes("Database") ? missing : undefined;
    const title = `DOC-1 ${origin} compiles, runs and yields what it says`;
    it.skipIf(skipped)(skipped ? `${title}: SKIPPED, ${skipped}` : title, async () => {
      expect(diagnosticsOf(file)).toEqual([]);
      await load(file);
    });
  }
});

describe("controls", () => {
  it("DOC-1 a wrong value in a comment fails", async () => {
    await expect(load("wrong-value.ts")).rejects.toThrow("to deeply equal false");
  });

  it("DOC-1 a wrong type fails", () => {
    expect(diagnosticsOf("wrong-type.ts")).toHaveLength(1);
  });

  it("DOC-1 only blocks after @example, or after the mark in Markdown, are taken", () => {
    const fenced = (code: string) => `\`\`\`ts\n${code}\n\`\`\``;
    const docstring = `/**\n * Text.\n * @example\n * \`\`\`ts\n * one();\n *\n * two();\n * \`\`\`\n */\nexport {};`;
    expect(examplesOfSource("a.ts", docstring)).toEqual([{ origin: "a.ts:4", code: "one();\n\ntwo();\n" }]);
    expect(examplesOfSource("a.ts", docstring.replace("@example", "For instance"))).toEqual([]);
    const page = `# Title\n<!-- test -->\n${fenced("taken();")}\n\n${fenced("left();")}\n`;
    expect(examplesOfMarkdown("a.md", page)).toEqual([{ origin: "a.md:3", code: "taken();\n" }]);
  });

  it.each([
    ["true, although the wall stands still", "true"],
    ['"base/invalid-id"', '"base/invalid-id"'],
    ['["a", "b"], in order', '["a", "b"]'],
    ["undefined; nobody has written", "undefined"],
    ["3", "3"],
    ["3 agents are at work", undefined],
    ["waits for the relay", undefined],
  ])("DOC-1 reads the comment %j as %j", (comment, value) => {
    expect(leadingValue(comment)).toBe(value);
  });
});
