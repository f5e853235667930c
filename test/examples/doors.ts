import { posix } from "node:path";
import { parseSync } from "vite";

/** What one door offers: the specifier to import it by, and whether each name is a type alone. */
export interface Door {
  specifier: string;
  names: ReadonlyMap<string, { typeOnly: boolean }>;
}

/** The exports of a module, re-exports of whole modules included. */
export function exportsOf(
  path: string,
  sources: ReadonlyMap<string, string>,
): Map<string, { typeOnly: boolean }> {
  const source = sources.get(path);
  if (source === undefined) throw new Error(`There is no ${path} to take exports from.`);
  const names = new Map<string, { typeOnly: boolean }>();
  for (const statement of parseSync(path, source).program.body) {
    if (statement.type === "ExportAllDeclaration") {
      const target = posix.join(posix.dirname(path), statement.source.value);
      for (const [name, kind] of exportsOf(target, sources)) names.set(name, kind);
    }
    if (statement.type !== "ExportNamedDeclaration") continue;
    for (const { exported, exportKind } of statement.specifiers) {
      const name = exported.type === "Literal" ? exported.value : exported.name;
      names.set(name, { typeOnly: statement.exportKind === "type" || exportKind === "type" });
    }
    const declaration = statement.declaration;
    if (!declaration) continue;
    const typeOnly = declaration.type.startsWith("TS");
    for (const name of declaredNames(declaration)) names.set(name, { typeOnly });
  }
  return names;
}

/** The names that a declaration binds, of the forms that a door or an example has. */
export function declaredNames(statement: object): string[] {
  if ("declarations" in statement && Array.isArray(statement.declarations)) {
    return statement.declarations.flatMap(({ id }: { id: object }) => boundNames(id));
  }
  return "id" in statement && typeof statement.id === "object" && statement.id
    ? boundNames(statement.id)
    : [];
}

/** The names that a pattern binds: `a`, `{ a, b: c }`, `[a, ...b]`, `a = 1`. */
function boundNames(pattern: object): string[] {
  if ("name" in pattern && typeof pattern.name === "string") return [pattern.name];
  return ["properties", "elements", "value", "left", "argument"].flatMap((key) => {
    const part = (pattern as Record<string, unknown>)[key];
    const parts: unknown[] = Array.isArray(part) ? part : [part];
    return parts.flatMap((each) => (typeof each === "object" && each !== null ? boundNames(each) : []));
  });
}
