import { parseSync, Visitor } from "vite";
import { type Door, declaredNames } from "./doors.ts";
import type { Example } from "./extract.ts";

/**
 * Makes a module of an example: imports the names that it uses from the first door that has them, and turns
 * `expression; // value, and why` into an assertion where the comment begins with a JSON value or `undefined`.
 */
export function moduleOf({ origin, code }: Example, doors: readonly Door[]): string {
  const { program, comments, errors } = parseSync("example.ts", code);
  if (errors.length > 0) throw new Error(`The example at ${origin} does not parse: ${errors[0]?.message}`);

  const used = new Set<string>();
  const assertions: { start: number; end: number; text: string }[] = [];
  new Visitor({
    Identifier: ({ name }) => void used.add(name),
    ExpressionStatement: ({ start, end, expression }) => {
      const comment = comments.find((each) => each.type === "Line" && each.start >= end);
      if (
        !comment ||
        code.slice(end, comment.start).trim() !== "" ||
        code.slice(end, comment.start).includes("\n")
      ) {
        return;
      }
      const value = leadingValue(comment.value.trim());
      if (value === undefined) return;
      const actual = code.slice(expression.start, expression.end);
      assertions.push({ start, end, text: `expectOfExample(${actual}).toEqual(${value});` });
    },
  }).visit(program);

  let body = code;
  for (const { start, end, text } of assertions.sort((a, b) => b.start - a.start)) {
    body = body.slice(0, start) + text + body.slice(end);
  }
  const own = new Set(program.body.flatMap((statement) => ownNames(statement)));
  const wanted = [...used].filter((name) => !own.has(name)).sort();
  return [
    `// ${origin}`,
    'import { expect as expectOfExample } from "vitest";',
    ...importsOf(wanted, doors),
    body,
  ].join("\n");
}

/** How many assertions a module made by `moduleOf` has. */
export function countAssertions(module: string): number {
  return module.split("expectOfExample(").length - 1;
}

/** The value that a comment begins with, when the value is all of it or a comma or semicolon follows. */
export function leadingValue(comment: string): string | undefined {
  const ends = [...comment.matchAll(/[,;]|$/g)].map(({ index }) => index).reverse();
  return ends.map((end) => comment.slice(0, end).trim()).find((text) => text === "undefined" || isJson(text));
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    // Prose: most comments are.
    return false;
  }
}

function ownNames(statement: object): string[] {
  if (!("type" in statement)) return [];
  if (statement.type === "ImportDeclaration" && "specifiers" in statement) {
    const specifiers = statement.specifiers as { local: { name: string } }[];
    return specifiers.map(({ local }) => local.name);
  }
  return declaredNames(statement);
}

function importsOf(wanted: readonly string[], doors: readonly Door[]): string[] {
  const left = new Set(wanted);
  return doors.flatMap(({ specifier, names }) => {
    const found = [...left].filter((name) => names.has(name));
    for (const name of found) left.delete(name);
    if (found.length === 0) return [];
    const list = found.map((name) => (names.get(name)?.typeOnly ? `type ${name}` : name));
    return [`import { ${list.join(", ")} } from "${specifier}";`];
  });
}
