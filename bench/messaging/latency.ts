import { percentile } from "../relay/scenarios/scenario.ts";

/** Does one thing and resolves with what it took, in microseconds. */
export type Timed = () => Promise<number>;

/** Times of one run, in microseconds. */
export interface Times {
  readonly p50: number;
  readonly p99: number;
}

/** What is compiled in the first of each is not what is measured. */
const warmUp = 100;

/** Times several by turns, so that whatever disturbs the machine disturbs all of them. */
export async function timeByTurns<Name extends string>(
  count: number,
  timed: Readonly<Record<Name, Timed>>,
): Promise<Record<Name, Times>> {
  const names = Object.keys(timed) as Name[];
  const times = new Map<Name, number[]>(names.map((name) => [name, []]));
  for (let round = -warmUp; round < count; round++) {
    for (const name of names) {
      const us = await timed[name]();
      if (round >= 0) times.get(name)?.push(us);
    }
  }
  return Object.fromEntries(
    [...times].map(([name, each]) => [name, { p50: percentile(each, 0.5), p99: percentile(each, 0.99) }]),
  ) as Record<Name, Times>;
}
