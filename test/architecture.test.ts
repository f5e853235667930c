import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { inspectHouse, readSources } from "../scripts/lib/architecture.mjs";
import { drawingPath, readPackages, withDrawing } from "../scripts/lib/drawing.mjs";
import { readImports } from "../scripts/lib/imports.mjs";

const violationsOf = (files: Record<string, string>) =>
  inspectHouse(new Map(Object.entries(files)), ["yjs", "zod"]).violations;

describe("the house as it stands", () => {
  it("HOUSE-1 imports only what the table allows, through doors, without cycles", () => {
    const sources = readSources("src");
    expect(sources.size).toBeGreaterThan(10);
    expect(inspectHouse(sources, readPackages()).violations).toEqual([]);
  });

  it("HOUSE-5 is drawn in docs/architecture.md (npm run format:docs)", () => {
    const text = readFileSync(drawingPath, "utf8");
    expect(text).toBe(withDrawing(text));
  });
});

describe("controls: the same judge refuses", () => {
  it("HOUSE-1 an import that the table forbids", () => {
    const violations = violationsOf({
      "base/index.ts": 'import type { Frame } from "../protocol/index.ts";',
      "protocol/index.ts": "export interface Frame {}",
    });
    expect(violations).toEqual([expect.stringContaining("base may not import protocol")]);
  });

  it.each(["edge", "testing", "gateway", "node"])(
    "HOUSE-1 an import of %s, by the room or the main door",
    (folder) => {
      const source = `export { x } from "../${folder}/index.ts";`;
      const files = { "room/index.ts": source, [`${folder}/index.ts`]: "export const x = 1;" };
      expect(violationsOf(files)).toEqual([expect.stringContaining(`room may not import ${folder}`)]);
      const door = { "index.ts": source.replace("../", "./"), [`${folder}/index.ts`]: "export const x = 1;" };
      expect(violationsOf(door)).toEqual([expect.stringContaining(`index.ts may not import ${folder}`)]);
    },
  );

  it("HOUSE-1 an import of crdt by the edge, and of refstore's values, but not of its types", () => {
    const files = {
      "crdt/index.ts": "export const lanes = 1;",
      "refstore/index.ts": "export const put = 1; export interface ReferenceStore {}",
    };
    expect(
      violationsOf({ ...files, "edge/room.ts": 'import { lanes } from "../crdt/index.ts";' }),
    ).toHaveLength(1);
    expect(
      violationsOf({ ...files, "edge/room.ts": 'import { put } from "../refstore/index.ts";' }),
    ).toHaveLength(1);
    const typed = 'import { type ReferenceStore } from "../refstore/index.ts";';
    expect(violationsOf({ ...files, "edge/room.ts": typed })).toEqual([]);
  });

  it("HOUSE-1 a folder that the table does not know", () => {
    const files = { "utils/index.ts": 'export * from "../base/index.ts";', "base/index.ts": "" };
    expect(violationsOf(files)).toEqual([expect.stringContaining("utils is not in the import table")]);
  });

  it("HOUSE-2 a way into another folder beside its door, and a folder's own door from inside", () => {
    const files = {
      "base/ids.ts": "export const id = 1;",
      "base/index.ts": 'export { id } from "./ids.ts";',
    };
    expect(violationsOf({ ...files, "crdt/lane.ts": 'import { id } from "../base/ids.ts";' })).toEqual([
      expect.stringContaining("entered through its door"),
    ]);
    expect(violationsOf({ ...files, "base/bytes.ts": 'import { id } from "./index.ts";' })).toEqual([
      expect.stringContaining("own door"),
    ]);
    expect(
      violationsOf({ ...files, "base/inner/bytes.ts": 'import { id } from "../index.ts";' }),
    ).toHaveLength(1);
  });

  it("HOUSE-3 a cycle of files, though types alone close it", () => {
    const violations = violationsOf({
      "base/a.ts": 'import { b } from "./b.ts"; export const a = b; export type A = 1;',
      "base/b.ts": 'import { c } from "./c.ts"; export const b = c;',
      "base/c.ts": 'export const c = 1; export type C = import("./a.ts").A;',
      "base/d.ts": 'import { a } from "./a.ts"; export const d = a;',
    });
    expect(violations).toEqual(["cycle: base/a.ts → base/b.ts → base/c.ts → base/a.ts"]);
  });

  it("HOUSE-4 a package that is not declared, and one that its folder may not load", () => {
    expect(violationsOf({ "crdt/a.ts": 'import * as Y from "yjs"; import x from "left-pad/x";' })).toEqual([
      expect.stringContaining("does not declare left-pad"),
    ]);
    expect(violationsOf({ "crdt/a.ts": 'import { z } from "zod";' })).toHaveLength(1);
    expect(violationsOf({ "crdt/a.ts": 'import * as z from "zod/mini";' })).toEqual([]);
    expect(violationsOf({ "room/a.ts": 'import { env } from "cloudflare:workers";' })).toHaveLength(1);
    expect(violationsOf({ "room/a.ts": 'const fs = await import("node:fs");' })).toHaveLength(1);
    expect(violationsOf({ "node/a.ts": 'import { join } from "node:path";' })).toEqual([]);
  });
});

describe("the reader of imports", () => {
  it("HOUSE-1 sees every form, and tells types from values", () => {
    const source = `
      import "./effect.ts";
      import value, { type T } from "./value.ts";
      import type { A } from "./a.ts";
      import { type B, type C } from "./b.ts";
      export * from "./all.ts";
      export type * from "./all-types.ts";
      export { x } from "./x.ts";
      export { type Y } from "./y.ts";
      const lazy = () => import("./lazy.ts");
      type D = typeof import("./d.ts");
      // import "./comment.ts";
      const text = 'import "./string.ts"';
    `;
    const seen = Object.fromEntries(
      readImports(source, "a.ts").map((each) => [each.specifier, each.typeOnly]),
    );
    expect(seen).toEqual({
      "./effect.ts": false,
      "./value.ts": false,
      "./a.ts": true,
      "./b.ts": true,
      "./all.ts": false,
      "./all-types.ts": true,
      "./x.ts": false,
      "./y.ts": true,
      "./lazy.ts": false,
      "./d.ts": true,
    });
  });

  it("HOUSE-1 refuses what it cannot follow", () => {
    expect(() => readImports("const m = await import(name);", "a.ts")).toThrow("no string literal");
    expect(() => readImports("import {", "a.ts")).toThrow("does not parse");
  });
});
