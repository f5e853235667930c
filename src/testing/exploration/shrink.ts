/** Looks for fewer and simpler steps that still fail. */
export interface ShrinkOptions<Step> {
  /** Whether these steps fail as the first ones did. */
  fails(steps: readonly Step[]): Promise<boolean>;
  /** Simpler forms of a step, the simplest first. */
  simplify(step: Step): Iterable<Step>;
  /** Whether to stop with what there is. */
  isOver(): boolean;
}

/**
 * Removes runs of steps, halves first and single ones last, until no single one can go (Zeller and Hildebrandt,
 * "Simplifying and isolating failure-inducing input", 2002); then takes each step's simplest form that still fails.
 */
export async function shrink<Step>(
  steps: readonly Step[],
  { fails, simplify, isOver }: ShrinkOptions<Step>,
): Promise<readonly Step[]> {
  let smallest = steps;
  /** By their JSON: what was tried before is not tried again. */
  const tried = new Set<string>([JSON.stringify(steps)]);

  async function take(candidate: readonly Step[]): Promise<boolean> {
    const key = JSON.stringify(candidate);
    if (tried.has(key) || isOver()) return false;
    tried.add(key);
    if (!(await fails(candidate))) return false;
    smallest = candidate;
    return true;
  }

  async function remove(): Promise<void> {
    if (smallest.length > 0 && (await take([]))) return;
    for (let size = Math.ceil(smallest.length / 2); size >= 1 && !isOver(); ) {
      let removed = false;
      // From the end: what comes after the failure goes first.
      for (let from = smallest.length - size; from > -size && !isOver(); from -= size) {
        const start = Math.max(0, from);
        removed = (await take([...smallest.slice(0, start), ...smallest.slice(from + size)])) || removed;
      }
      if (size > 1) size = Math.ceil(size / 2);
      else if (!removed) return;
    }
  }

  async function simplifyEach(): Promise<boolean> {
    let simplified = false;
    for (let index = 0; index < smallest.length; index++) {
      for (const simpler of simplify(smallest[index] as Step)) {
        if (isOver()) return simplified;
        if (await take(smallest.with(index, simpler))) {
          simplified = true;
          break;
        }
      }
    }
    return simplified;
  }

  await remove();
  while (await simplifyEach()) await remove();
  return smallest;
}
