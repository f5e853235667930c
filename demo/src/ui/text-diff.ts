/** One edit: at `index`, `removed` units give way to `inserted`. */
export interface TextEdit {
  readonly index: number;
  readonly removed: number;
  readonly inserted: string;
}

/** One step of a Yjs text event. */
export interface TextDelta {
  readonly retain?: number | undefined;
  readonly insert?: unknown;
  readonly delete?: number | undefined;
}

/**
 * The edit that turns `before` into `after`, or undefined where they are equal. Among equal edits, such as another
 * `a` in `aaa`, the one that ends at the caret is meant. A surrogate pair is never cut.
 */
export function diffText(before: string, after: string, caret: number): TextEdit | undefined {
  if (before === after) return undefined;
  const tailLimit = Math.min(before.length, after.length, Math.max(0, after.length - caret));
  let tail = 0;
  while (tail < tailLimit && before.at(-1 - tail) === after.at(-1 - tail)) tail += 1;
  const headLimit = Math.min(before.length, after.length) - tail;
  let head = 0;
  while (head < headLimit && before[head] === after[head]) head += 1;
  if (isHighSurrogate(before, head - 1) || isHighSurrogate(after, head - 1)) head -= 1;
  if (isLowSurrogate(before, before.length - tail) || isLowSurrogate(after, after.length - tail)) tail -= 1;
  return {
    index: head,
    removed: before.length - head - tail,
    inserted: after.slice(head, after.length - tail),
  };
}

/** Where a position is after a remote change; text inserted right at the position goes after it. */
export function movePosition(position: number, delta: readonly TextDelta[]): number {
  let at = 0;
  let moved = position;
  for (const { retain, insert, delete: removed } of delta) {
    if (retain !== undefined) at += retain;
    else if (typeof insert === "string") {
      if (at < moved) moved += insert.length;
      at += insert.length;
    } else if (removed !== undefined && at < moved) moved -= Math.min(removed, moved - at);
  }
  return moved;
}

function isHighSurrogate(text: string, at: number): boolean {
  return at >= 0 && /^[\ud800-\udbff]$/.test(text.charAt(at));
}

function isLowSurrogate(text: string, at: number): boolean {
  return at < text.length && /^[\udc00-\udfff]$/.test(text.charAt(at));
}
