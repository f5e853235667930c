import { parseSync } from "vite";

/** A block of code that a reader is shown. */
export interface Example {
  /** Where it stands, for instance `src/base/clock.ts:52`. */
  origin: string;
  code: string;
}

const fence = /^```ts\n([\s\S]*?)^```$/gm;

/** The ts blocks after `@example` in the docstrings of a source. */
export function examplesOfSource(path: string, source: string): Example[] {
  return parseSync(path, source).comments.flatMap((comment) => {
    if (comment.type !== "Block" || !comment.value.startsWith("*")) return [];
    // The stars go, the lines stay, so that lines can be counted.
    const text = comment.value.replace(/^[ \t]*\* ?/gm, "");
    const tag = text.indexOf("@example");
    if (tag < 0) return [];
    return blocksFrom(text, tag, path, lineOf(source, comment.start));
  });
}

/** The ts blocks of a Markdown text that have `<!-- test -->` on the line before. */
export function examplesOfMarkdown(path: string, text: string): Example[] {
  const lines = text.split("\n");
  return blocksFrom(text, 0, path, 1).filter(({ origin }) => {
    const fenceLine = Number(origin.split(":").at(-1));
    return lines[fenceLine - 2]?.trim() === "<!-- test -->";
  });
}

/** The ts blocks of a text from an offset on, by the line of their fence. */
function blocksFrom(text: string, offset: number, path: string, firstLine: number): Example[] {
  return [...text.matchAll(fence)]
    .filter((match) => match.index >= offset)
    .map((match) => ({
      origin: `${path}:${firstLine + lineOf(text, match.index) - 1}`,
      code: match[1] ?? "",
    }));
}

function lineOf(text: string, offset: number): number {
  return text.slice(0, offset).split("\n").length;
}
