import type { Timestamp } from "../../base/index.ts";
import type { Entry } from "../lanes/entry.ts";
import type { ViewDefinition } from "./definition.ts";
import { effectiveClock } from "./effective.ts";
import { comparePlaces, type Placed } from "./place.ts";

/**
 * Folds entries at hand, in the order of the room, and returns the states by key. A parent that is not among them
 * counts as absent. What a function of the definition throws is thrown.
 *
 * @example
 * ```ts
 * const perKind = defineView({ key: ({ kind }) => kind, init: () => 0, step: (count) => count + 1 });
 * foldEntries(perKind, []).size; // 0
 * ```
 */
export function foldEntries<State>(
  definition: Pick<ViewDefinition<State>, "key" | "init" | "step">,
  entries: Iterable<Entry>,
): Map<string, State> {
  const states = new Map<string, State>();
  for (const { entry } of placeAll(entries)) {
    const key = definition.key(entry);
    if (key === undefined) continue;
    const before = states.has(key) ? (states.get(key) as State) : definition.init(key);
    states.set(key, definition.step(before, entry));
  }
  return states;
}

function placeAll(entries: Iterable<Entry>): Placed[] {
  const all = new Map<string, Entry>();
  for (const entry of entries) all.set(entry.id, entry);
  const clocks = new Map<string, Timestamp>();
  const kept = new Map<string, Entry[]>();
  const queue = [...all.values()];
  for (let next = 0; next < queue.length; next++) {
    const entry = queue[next] as Entry;
    const clock = effectiveClock(entry, (id) => clocks.get(id) ?? (all.has(id) ? "waits" : "absent"));
    if (typeof clock !== "number") {
      kept.set(clock.parent, [...(kept.get(clock.parent) ?? []), entry]);
      continue;
    }
    clocks.set(entry.id, clock);
    queue.push(...(kept.get(entry.id) ?? []));
    kept.delete(entry.id);
  }
  return [...all.values()]
    .flatMap((entry) => {
      const effective = clocks.get(entry.id);
      return effective === undefined ? [] : { entry, effective };
    })
    .sort(comparePlaces);
}
