import { type Dataset, listDatasets } from "../flock/dataset.ts";
import type { Said } from "../flock/said.ts";
import type { Watchable } from "./watch.ts";

/** Which of the room's data sets this page shows. */
export interface DatasetChoice extends Watchable {
  /** The chosen data set; without a choice the newest, and undefined in a room without data. */
  get(): Dataset | undefined;
  all(): readonly Dataset[];
  choose(id: string): void;
  /** Shows the newest with this name, now or as soon as it is announced. */
  expect(name: string): void;
}

/** Creates the choice of this page. */
export function createDatasetChoice(said: Said): DatasetChoice {
  let chosen: string | undefined;
  let expected: string | undefined;
  const listeners = new Set<() => void>();
  const all = () => listDatasets(said.get());
  const tell = () => {
    for (const listener of listeners) listener();
  };
  return {
    all,
    get() {
      const datasets = all();
      const named = datasets.findLast(({ name }) => name === expected);
      return named ?? datasets.find(({ id }) => id === chosen) ?? datasets.at(-1);
    },
    choose(id) {
      expected = undefined;
      chosen = id;
      tell();
    },
    expect(name) {
      expected = name;
      tell();
    },
    subscribe(listener) {
      listeners.add(listener);
      const undo = said.subscribe(listener);
      return () => {
        listeners.delete(listener);
        undo();
      };
    },
  };
}
