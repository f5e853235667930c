import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** The project's folder, with a slash at its end. */
export const projectDir = fileURLToPath(new URL("../../", import.meta.url));

/**
 * Reads the public doors from package.json: the specifier an importer writes, the source and the built file.
 *
 * @returns {{ specifier: string, source: string, built: string }[]}
 */
export function readDoors() {
  /** @type {{ name: string, exports: Record<string, string | { default: string }> }} */
  const manifest = JSON.parse(readFileSync(`${projectDir}package.json`, "utf8"));
  const doors = [];
  for (const [subpath, target] of Object.entries(manifest.exports)) {
    if (typeof target === "string") continue;
    const built = target.default.replace("./", "");
    const source = built.replace("dist/", "src/").replace(/\.js$/, ".ts");
    doors.push({ specifier: manifest.name + subpath.slice(1), source, built });
  }
  return doors;
}

/**
 * Aliases that let Vite and vitest run the doors from their sources.
 *
 * @returns {{ find: RegExp, replacement: string }[]}
 */
export function doorAliases() {
  return readDoors().map(({ specifier, source }) => ({
    find: new RegExp(`^${specifier}$`),
    replacement: projectDir + source,
  }));
}
