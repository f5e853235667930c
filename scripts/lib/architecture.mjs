import { readdirSync, readFileSync } from "node:fs";
import { posix, sep } from "node:path";
import { findCycles } from "./cycles.mjs";
import { projectDir } from "./doors.mjs";
import { importTable, restrictedModules } from "./import-table.mjs";
import { readImports } from "./imports.mjs";

/** @typedef {{ from: string, to: string, typeOnly: boolean }} Edge an import; paths below src */

/**
 * @typedef {object} House
 * @property {Edge[]} edges every import of one of our files by another
 * @property {string[]} violations in words: one for each forbidden import and each cycle
 */

/**
 * Judges a tree of sources by the import table.
 *
 * @param {ReadonlyMap<string, string>} sources text by path below `src`
 * @param {readonly string[]} packages that the published package declares
 * @returns {House}
 */
export function inspectHouse(sources, packages) {
  /** @type {Edge[]} */
  const edges = [];
  /** @type {string[]} */
  const violations = [];
  for (const [from, source] of sources) {
    for (const { specifier, typeOnly } of readImports(source, from)) {
      const ours = specifier.startsWith(".");
      const edge = { from, to: posix.join(posix.dirname(from), specifier), typeOnly };
      const known = ours && sources.has(edge.to);
      if (known) edges.push(edge);
      const reason = known
        ? whyNotFile(edge)
        : ours
          ? "there is no such file; write its path with .ts"
          : whyNotPackage(from, specifier, packages);
      if (reason) violations.push(`${from} imports ${specifier}: ${reason}`);
    }
  }
  for (const cycle of findCycles(graphOf(sources, edges))) violations.push(`cycle: ${cycle.join(" → ")}`);
  return { edges, violations };
}

/**
 * The imports between folders as a Mermaid drawing; an arrow is dotted where it carries types alone.
 *
 * @param {readonly Edge[]} edges
 * @returns {string}
 */
export function drawHouse(edges) {
  /** @type {Map<string, boolean>} */
  const arrows = new Map();
  for (const { from, to, typeOnly } of edges) {
    const [left, right] = [unitOf(from), unitOf(to)];
    if (left === right) continue;
    const arrow = `${left} ${right}`;
    arrows.set(arrow, typeOnly && arrows.get(arrow) !== false);
  }
  const lines = [...arrows]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([arrow, dotted]) => {
      const [left, right] = arrow.split(" ");
      return `  ${left} ${dotted ? "-.->" : "-->"} ${right}`;
    });
  return ["```mermaid", "flowchart LR", ...lines, "```"].join("\n");
}

/**
 * Reads all TypeScript below a folder, without declarations.
 *
 * @param {string} folder in the project
 * @returns {Map<string, string>} text by path below the folder, with forward slashes
 */
export function readSources(folder) {
  const paths = readdirSync(projectDir + folder, { recursive: true, encoding: "utf8" });
  const names = paths.map((path) => path.split(sep).join("/")).filter((path) => /(?<!\.d)\.tsx?$/.test(path));
  return new Map(names.sort().map((path) => [path, readFileSync(`${projectDir}${folder}/${path}`, "utf8")]));
}

/**
 * @param {Edge} edge
 * @returns {string | undefined}
 */
function whyNotFile({ from, to, typeOnly }) {
  const [left, right] = [unitOf(from), unitOf(to)];
  if (left === right) {
    const isOwnDoor = posix.basename(to) === "index.ts" && from.startsWith(`${posix.dirname(to)}/`);
    return isOwnDoor
      ? "inside a folder import the file that defines it, not the folder's own door"
      : undefined;
  }
  const rule = importTable[left];
  if (rule === undefined) return `${left} is not in the import table`;
  if (rule.types?.includes(right)) {
    if (!typeOnly) return `${left} may import types alone from ${right}`;
  } else if (!rule.values.includes(right)) return `${left} may not import ${right}`;
  return to === `${right}/index.ts` ? undefined : `a folder is entered through its door, ${right}/index.ts`;
}

/**
 * @param {string} from
 * @param {string} specifier
 * @param {readonly string[]} packages
 * @returns {string | undefined}
 */
function whyNotPackage(from, specifier, packages) {
  const restriction = restrictedModules.find(({ pattern }) => pattern.test(specifier));
  if (restriction && !restriction.allowed.includes(unitOf(from))) return restriction.reason;
  if (/^\w+:/.test(specifier)) return undefined;
  const name = specifier.split("/", specifier.startsWith("@") ? 2 : 1).join("/");
  return packages.includes(name) ? undefined : `the published package does not declare ${name}`;
}

/**
 * The folder of src that a file lies in, or the file itself where it lies in src directly.
 *
 * @param {string} path
 * @returns {string}
 */
function unitOf(path) {
  return path.split("/", 1).join();
}

/**
 * @param {ReadonlyMap<string, string>} sources
 * @param {readonly Edge[]} edges
 * @returns {Map<string, string[]>}
 */
function graphOf(sources, edges) {
  /** @type {Map<string, string[]>} */
  const graph = new Map([...sources.keys()].map((path) => [path, []]));
  for (const { from, to } of edges) graph.get(from)?.push(to);
  return graph;
}
