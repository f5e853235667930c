import { parseSync, Visitor } from "vite";

/**
 * @typedef {object} Import
 * @property {string} specifier
 * @property {boolean} typeOnly gone once compiled
 */

/**
 * Lists every import of a TypeScript module: declarations, re-exports, `import()` and `import("…")` types.
 *
 * @param {string} source
 * @param {string} path named where the source does not parse
 * @returns {Import[]}
 */
export function readImports(source, path) {
  const { program, errors } = parseSync(path, source);
  if (errors.length > 0) throw new Error(`${path} does not parse: ${errors[0]?.message}`);
  /** @type {Import[]} */
  const imports = [];
  /** @param {unknown} literal @param {boolean} typeOnly */
  const add = (literal, typeOnly) => {
    if (typeof literal !== "string") throw new Error(`${path} imports something that is no string literal.`);
    imports.push({ specifier: literal, typeOnly });
  };
  new Visitor({
    ImportDeclaration: ({ source: { value }, importKind, specifiers }) =>
      add(value, importKind === "type" || (specifiers.length > 0 && specifiers.every(isTypeSpecifier))),
    ExportAllDeclaration: ({ source: { value }, exportKind }) => add(value, exportKind === "type"),
    ExportNamedDeclaration: ({ source: from, exportKind, specifiers }) => {
      if (from === null) return;
      const typesAlone = specifiers.length > 0 && specifiers.every((each) => each.exportKind === "type");
      add(from.value, exportKind === "type" || typesAlone);
    },
    ImportExpression: ({ source: argument }) =>
      add(argument.type === "Literal" ? argument.value : undefined, false),
    TSImportType: ({ source: { value } }) => add(value, true),
  }).visit(program);
  return imports;
}

/**
 * @param {{ type: string, importKind?: string | null }} specifier
 * @returns {boolean}
 */
function isTypeSpecifier(specifier) {
  return specifier.type === "ImportSpecifier" && specifier.importKind === "type";
}
