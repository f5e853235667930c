export const dayMs = 86_400_000;

/** The UTC day of a moment, in days since 1970. */
export function dayOf(moment: number): number {
  return Math.floor(moment / dayMs);
}
