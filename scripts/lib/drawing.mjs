import { readFileSync } from "node:fs";
import { drawHouse, inspectHouse, readSources } from "./architecture.mjs";
import { projectDir } from "./doors.mjs";

const start = "<!-- drawing: npm run format:docs writes it -->";
const end = "<!-- end of drawing -->";

/** The document that shows the drawing. */
export const drawingPath = `${projectDir}docs/architecture.md`;

/**
 * The document as it should be: with the drawing of the present sources between its marks.
 *
 * @param {string} text of the document
 * @returns {string}
 */
export function withDrawing(text) {
  const [before, rest] = text.split(start);
  const after = rest?.split(end)[1];
  if (before === undefined || after === undefined)
    throw new Error(`docs/architecture.md lacks ${start} … ${end}`);
  return `${before}${start}\n${drawHouse(inspectHouse(readSources("src"), readPackages()).edges)}\n${end}${after}`;
}

/**
 * The packages that package.json declares to those who install ours.
 *
 * @returns {string[]}
 */
export function readPackages() {
  /** @type {{ dependencies: Record<string, string>, peerDependencies: Record<string, string> }} */
  const manifest = JSON.parse(readFileSync(`${projectDir}package.json`, "utf8"));
  return Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies });
}
