/** A failure's own words, whatever was thrown, and nothing of where in the code it was. */
export function wordsOf(failure: unknown, maxLength: number): string {
  return textOf(failure instanceof Error ? failure.message : failure).slice(0, maxLength);
}

function textOf(value: unknown): string {
  try {
    return String(value);
  } catch {
    // An object without a prototype, or whose `toString` fails, is no text.
    return Object.prototype.toString.call(value);
  }
}
