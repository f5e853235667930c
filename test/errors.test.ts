import { readFileSync } from "node:fs";
import { parseSync } from "vite";
import { expect, it } from "vitest";
import { projectDir } from "../scripts/lib/doors.mjs";

const read = (path: string) => readFileSync(projectDir + path, "utf8");

/** The codes of the union, in its order. */
function declaredCodes(source: string): string[] {
  for (const statement of parseSync("errors.ts", source).program.body) {
    const declaration = statement.type === "ExportNamedDeclaration" ? statement.declaration : undefined;
    if (declaration?.type !== "TSTypeAliasDeclaration" || declaration.id.name !== "ErrorCode") continue;
    const union = declaration.typeAnnotation;
    if (union.type !== "TSUnionType") break;
    return union.types.map((member) => {
      const literal = member.type === "TSLiteralType" ? member.literal : undefined;
      if (literal?.type === "Literal" && typeof literal.value === "string") return literal.value;
      throw new Error("ErrorCode has a member that is no string literal.");
    });
  }
  throw new Error("There is no union named ErrorCode.");
}

/** The rows of the table: code, meaning, what to do. */
function documentedCodes(page: string): { code: string; means: string; remedy: string }[] {
  return [...page.matchAll(/^\| `([^`]+)` \| (.*) \| (.*) \|$/gm)].map(
    ([, code = "", means = "", remedy = ""]) => ({
      code,
      means: means.trim(),
      remedy: remedy.trim(),
    }),
  );
}

it("ERR-1 docs/errors.md has exactly the codes of the union", () => {
  const documented = documentedCodes(read("docs/errors.md")).map(({ code }) => code);
  expect(documented.sort()).toEqual(declaredCodes(read("src/base/errors.ts")).sort());
});

it("ERR-2 docs/errors.md says of each code what it means and what to do", () => {
  for (const { code, means, remedy } of documentedCodes(read("docs/errors.md"))) {
    expect([code, means.length > 3, remedy.length > 3]).toEqual([code, true, true]);
  }
});

it("ERR-3 every code is folder/kebab-case, and none is listed twice", () => {
  const codes = declaredCodes(read("src/base/errors.ts"));
  expect(codes.filter((code) => !/^[a-z]+\/[a-z]+(-[a-z]+)*$/.test(code))).toEqual([]);
  expect(new Set(codes).size).toBe(codes.length);
});

it("ERR-1 control: a missing, an unknown and a doubled code are seen", () => {
  const source = 'export type ErrorCode = "a/b" | "a/c";';
  expect(declaredCodes(source)).toEqual(["a/b", "a/c"]);
  expect(documentedCodes("| `a/b` | x | y |\n| `a/d` | x |  |")).toEqual([
    { code: "a/b", means: "x", remedy: "y" },
    { code: "a/d", means: "x", remedy: "" },
  ]);
  expect(() => declaredCodes("export type ErrorCode = string;")).toThrow("no union");
});
