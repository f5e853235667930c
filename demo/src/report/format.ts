const plain = new Intl.NumberFormat("en-GB", { maximumFractionDigits: 2 });
const fine = new Intl.NumberFormat("en-GB", { maximumSignificantDigits: 3 });
// British English abbreviates a million as "m", which reads as metres.
const compact = new Intl.NumberFormat("en-US", { notation: "compact", maximumSignificantDigits: 3 });
const shortDate = new Intl.DateTimeFormat("en-GB", {
  day: "numeric",
  month: "short",
  year: "numeric",
  timeZone: "UTC",
});

/** A count in full: `3,201`. */
export function formatCount(value: number): string {
  return plain.format(value);
}

/** A measured value at the precision a reader needs: `0.0123`, `106.4`, `69.8M`. */
export function formatValue(value: number): string {
  const size = Math.abs(value);
  if (size >= 10_000) return compact.format(value).replace("K", "k");
  if (size > 0 && size < 1) return fine.format(value);
  return plain.format(value);
}

/** A share in per cent: `82 %`; what is not quite nothing or everything does not read as such. */
export function formatShare(share: number): string {
  if (share > 0 && share < 0.01) return "< 1%";
  if (share < 1 && share > 0.99) return "> 99%";
  return `${Math.round(share * 100)}%`;
}

/** A number of bytes: `1.4 MB`. */
export function formatBytes(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  if (bytes < 1_000_000) return `${plain.format(Math.round(bytes / 100) / 10)} kB`;
  return `${plain.format(Math.round(bytes / 100_000) / 10)} MB`;
}

/** A day: `12 Jun 1998`. */
export function formatDay(ms: number): string {
  return shortDate.format(ms);
}

/** A correlation with its sign: `+0.95`, `−0.21`. */
export function formatR(r: number): string {
  return `${r < 0 ? "−" : "+"}${Math.abs(r).toFixed(2)}`;
}

/** Joins words as a sentence does: `a, b and c`. */
export function joinWords(words: readonly string[]): string {
  if (words.length < 2) return words.join("");
  return `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`;
}
