/** A failure's own words, whatever was thrown, and nothing of where in the code it was. */
export function wordsOf(failure: unknown, maxLength: number): string {
  try {
    return String(failure instanceof Error ? failure.message : failure).slice(0, maxLength);
  } catch {
    // An object without a prototype, or whose `toString` fails.
    return "What was thrown is no text.";
  }
}
