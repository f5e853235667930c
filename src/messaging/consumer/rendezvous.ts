/** FNV-1a, 32 bits: spreads well enough to share out lanes, and is the same everywhere. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) {
    value = Math.imul(value ^ text.charCodeAt(index), 0x01000193);
  }
  // FNV's last bytes barely reach the high bits; two rounds of mixing (murmur3's finalizer) do.
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35);
  return (value ^ (value >>> 16)) >>> 0;
}

/** The candidate that highest-random-weight hashing (Thaler and Ravishankar, 1996) picks for a key. */
export function pick(candidates: Iterable<string>, key: string): string | undefined {
  let best: string | undefined;
  let bestWeight = -1;
  for (const candidate of candidates) {
    const weight = hash(`${candidate}|${key}`);
    if (weight > bestWeight || (weight === bestWeight && best !== undefined && candidate > best)) {
      best = candidate;
      bestWeight = weight;
    }
  }
  return best;
}
