/** Principals of which something is kept; one more, and those at rest are forgotten, or else the oldest. */
const keptPrincipals = 1_024;

/** What is kept of each principal while the room is awake, whatever the number of its connections. */
export interface ByPrincipal<T> {
  /** What is kept of a principal; made anew where nothing is. */
  of(principal: string): T;
  /** The same; undefined where nothing is kept. */
  known(principal: string): T | undefined;
}

/** Creates it empty; what is at rest may be forgotten, since it says what nothing would say. */
export function createByPrincipal<T>(create: () => T, isAtRest: (kept: T) => boolean): ByPrincipal<T> {
  const kept = new Map<string, T>();

  function makeRoom(): void {
    for (const [principal, each] of kept) if (isAtRest(each)) kept.delete(principal);
    const [oldest] = kept.keys();
    if (kept.size >= keptPrincipals && oldest !== undefined) kept.delete(oldest);
  }

  return {
    of(principal) {
      const known = kept.get(principal);
      if (known !== undefined) return known;
      if (kept.size >= keptPrincipals) makeRoom();
      const created = create();
      kept.set(principal, created);
      return created;
    },
    known: (principal) => kept.get(principal),
  };
}
