import fc from "fast-check";
import { afterEach, describe, expect, test, vi } from "vitest";
import * as Y from "yjs";
import * as z from "zod/mini";
import { bindState, list, map, table, text } from "../../src/crdt/index.ts";
import { createGuard } from "../../src/crdt/shared/guard.ts";
import { createWrite } from "../../src/crdt/write.ts";
import {
  parseDocumentName,
  parseJson,
  parsePresence,
  scanUpdate,
  sharedName,
} from "../../src/protocol/index.ts";
import { buildUpdate, content, type StructSpec } from "../protocol/gate/build.ts";
import { contextOfDoc } from "../protocol/gate/contexts.ts";
import { createEditor } from "../protocol/gate/editing.ts";
import { inventTrial } from "../protocol/gate/grammar.ts";
import { createRandom } from "../protocol/gate/random.ts";

const finding = z.object({ id: z.string(), score: z.number() });

/** State of every kind over each of the names that the attacker writes under. */
const kinds = {
  text: text(),
  map: map(),
  scores: map(z.number()),
  list: list(),
  names: list(z.string()),
  table: table(finding, { key: "id" }),
};

/** Binds one kind of state to a root of a document. */
function bind(document: Y.Doc, kind: keyof typeof kinds, root: string) {
  const write = createWrite({ local: async () => undefined, relayed: async () => undefined });
  const host = {
    document,
    transact(change: () => void) {
      document.transact(change);
      return write;
    },
  };
  return bindState(host, { [root]: kinds[kind] })[root] as { get(): unknown };
}

afterEach(() => {
  vi.restoreAllMocks();
});

/** A document that somebody hostile or honest has written under the names t, a and m. */
function writtenBy(seed: number): Y.Doc {
  const random = createRandom(seed);
  const editor = createEditor(5);
  for (let step = 0; step < 25; step++) {
    if (random.chance(0.5)) editor.edit(random);
    else {
      const state = Y.encodeStateAsUpdate(editor.doc);
      const { update } = inventTrial(random, [{ profile: "shared", state, next: [state] }]);
      const verdict = scanUpdate(update, { profile: "shared", context: contextOfDoc(editor.doc) });
      if (verdict.ok) Y.applyUpdate(editor.doc, update);
    }
  }
  return editor.doc;
}

/** Whether any object in a value has another prototype than a plain one, or none. */
function isTainted(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  const isPlain = prototype === null || prototype === Object.prototype || prototype === Array.prototype;
  return !isPlain || Object.values(value).some(isTainted);
}

describe("state that somebody wrote in another shape", () => {
  test("THREAT-15 in clients: 100 hostile documents read as what is declared, under every name and kind, and never throw", () => {
    // Yjs says on the console that an invented update writes under the replica's own client.
    vi.spyOn(console, "warn").mockImplementation(() => undefined);
    for (let seed = 0; seed < 100; seed++) {
      const state = Y.encodeStateAsUpdate(writtenBy(seed));
      for (const root of ["t", "a", "m"]) {
        for (const kind of Object.keys(kinds) as (keyof typeof kinds)[]) {
          const document = new Y.Doc();
          Y.applyUpdate(document, state);
          const value = bind(document, kind, root).get();
          if (kind === "text") expect(typeof value).toBe("string");
          else expect(isTainted(value)).toBe(false);
          if (kind === "names")
            expect((value as unknown[]).every((each) => typeof each === "string")).toBe(true);
          if (kind === "scores") {
            expect(Object.values(value as object).every((each) => typeof each === "number")).toBe(true);
          }
          if (kind === "table") {
            expect((value as unknown[]).every((row) => z.safeParse(finding, row).success)).toBe(true);
          }
        }
      }
    }
  });

  test("THREAT-15 control: without a schema an application is handed what was written", () => {
    const document = new Y.Doc();
    document.getArray("names").push([1]);
    expect(bind(document, "list", "names").get()).toEqual([1]);
    expect(bind(document, "names", "names").get()).toEqual([]);
  });
});

/** JSON with the forbidden key somewhere. */
const forbiddenJson = fc
  .tuple(fc.jsonValue(), fc.jsonValue(), fc.array(fc.constantFrom("a", "b", "constructor"), { maxLength: 4 }))
  .map(([before, forged, path]) => {
    const core = `{"x":${JSON.stringify(before)},"__proto__":${JSON.stringify(forged)}}`;
    return path.reduceRight((inner, key) => `{"${key}":[${inner}]}`, core);
  });

describe("the prototype as a key", () => {
  test("THREAT-13 in clients: no JSON that holds it is read, wherever it is", () => {
    fc.assert(
      fc.property(forbiddenJson, (json) => {
        expect(parseJson(json)).toBeUndefined();
        expect(parsePresence(json)).toBeUndefined();
        const presence = `{"session":"abcdefghijk","writers":[],"awareness":${json}}`;
        expect(parsePresence(presence)).toBeUndefined();
      }),
    );
  });

  test("THREAT-13 in clients: no update that holds it is applied, and what is read has plain prototypes", () => {
    fc.assert(
      fc.property(forbiddenJson, fc.constantFrom("any", "embed", "format"), (json, where) => {
        const value = JSON.parse(json) as never;
        const spec: StructSpec = {
          ...(where === "any"
            ? content.any(value)
            : where === "embed"
              ? content.embed(json)
              : content.format("f", json)),
          parent: "a",
        };
        const update = buildUpdate([{ client: 1, clock: 0, structs: [spec] }]);
        const replica = new Y.Doc();
        expect(createGuard(parseDocumentName(sharedName()), replica)(update)).toMatchObject({
          result: "refused",
          code: "gate/forbidden-key",
        });
      }),
    );
  });

  test("THREAT-13 control: lib0 itself sets the prototype", () => {
    const forged = JSON.parse('{"__proto__":{"isAdmin":true}}') as never;
    const doc = new Y.Doc();
    Y.applyUpdate(
      doc,
      buildUpdate([{ client: 1, clock: 0, structs: [{ ...content.any(forged), parent: "a" }] }]),
    );
    expect((doc.getArray("a").get(0) as { isAdmin?: boolean }).isAdmin).toBe(true);
  });
});
