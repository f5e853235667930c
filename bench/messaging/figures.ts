/** Figures of several runs, by name. */
export interface Figures {
  note(name: string, value: number): void;
  /** Those of one name. */
  of(name: string): readonly number[];
}

/** Runs a task so many times, after once that does not count: what it compiles is not what is measured. */
export async function gather(runs: number, task: (figures: Figures) => Promise<void>): Promise<Figures> {
  await task(createFigures());
  const figures = createFigures();
  for (let run = 0; run < runs; run++) await task(figures);
  return figures;
}

function createFigures(): Figures {
  const values = new Map<string, number[]>();
  return {
    note(name, value) {
      const present = values.get(name);
      if (present) present.push(value);
      else values.set(name, [value]);
    },
    of(name) {
      const found = values.get(name);
      if (!found) throw new Error(`Nothing of the name ${name} was measured.`);
      return found;
    },
  };
}
