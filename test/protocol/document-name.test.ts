import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  comparePages,
  formatPageName,
  laneName,
  parseDocumentName,
  parsePageName,
  readDocumentName,
  registerName,
  sharedName,
} from "../../src/protocol/index.ts";

const id = fc.stringMatching(/^[A-Za-z0-9_-]{1,64}$/);
const writer = fc.tuple(id, id, id).map((parts) => parts.join("."));
const page = fc.record({ number: fc.nat({ max: 999_999_999 }), client: fc.nat({ max: 2 ** 32 - 1 }) });

describe("document names", () => {
  it("FRAME-9: the names that are made are read back", () => {
    fc.assert(
      fc.property(id, writer, page, (name, owner, place) => {
        const [principal] = owner.split(".");
        expect(parseDocumentName(sharedName())).toEqual({ kind: "shared", name: "shared" });
        expect(parseDocumentName(sharedName(name))).toEqual({ kind: "shared", name: `shared/${name}` });
        expect(parseDocumentName(registerName(owner))).toMatchObject({
          kind: "register",
          writer: owner,
          principal,
        });
        expect(parseDocumentName(laneName(owner, place))).toMatchObject({
          kind: "lane",
          writer: owner,
          principal,
          page: place,
        });
      }),
    );
  });

  it("FRAME-9: one name has one spelling: what is read is made again as it was", () => {
    const piece = fc.constantFrom(
      "shared",
      "register",
      "lane",
      "a.b.c",
      "0-1",
      "00-1",
      "a",
      "",
      "control",
      "stream",
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 4 }), (pieces) => {
        const text = pieces.join("/");
        const read = readDocumentName(text);
        if (!read) return;
        const made =
          read.kind === "shared"
            ? sharedName(text.split("/")[1])
            : read.kind === "register"
              ? registerName(read.writer)
              : laneName(read.writer, read.page);
        expect(made).toBe(text);
      }),
      { numRuns: 1_000 },
    );
  });

  it.each([
    "",
    "Shared",
    "shared/",
    "shared/a/b",
    "shared/a b",
    "shared/ä",
    "register",
    "register/a.b",
    "register/a.b.c/",
    "register/a.b.c/x",
    "lane/a.b.c",
    "lane/a.b.c/",
    "lane/a.b.c/1",
    "lane/a.b.c/01-1",
    "lane/a.b.c/-1-1",
    "lane/a.b.c/1-4294967296",
    "lane/a.b.c/1000000000-1",
    "lane/a.b.c/0-1/x",
    "control/a.b.c/0-1",
    "stream/a.b.c/s",
    "__proto__",
  ])("FRAME-9: %j is no document", (name) => {
    expect(readDocumentName(name)).toBeUndefined();
    expect(() => parseDocumentName(name)).toThrow(
      expect.objectContaining({ code: "protocol/unknown-document" }),
    );
  });

  it("FRAME-10: pages are ordered by number, then client", () => {
    fc.assert(
      fc.property(page, (place) => {
        expect(parsePageName(formatPageName(place))).toEqual(place);
      }),
    );
    const pages = ["10-1", "2-9", "2-10", "1-4294967295"].map((name) => parsePageName(name) as never);
    expect(pages.sort(comparePages).map(formatPageName)).toEqual(["1-4294967295", "2-9", "2-10", "10-1"]);
  });
});
