import { createEmitter, type Undo } from "../../base/index.ts";
import type { Guarded } from "./guarded.ts";
import type { KeyFold } from "./key-fold.ts";
import type { ViewChange } from "./view.ts";

/** Tells listeners of effective changes: of a key whose state differs from the one that they were told last. */
export interface Hooks<State> {
  /** Whether anybody listens. */
  isHeard(): boolean;
  on(listener: (change: ViewChange<State>) => void): Undo;
  tell(key: string): void;
  /** What is told from now on is told against the states as they are. */
  begin(): void;
}

export interface HooksOptions<State> {
  folds: ReadonlyMap<string, KeyFold<State>>;
  guarded: Pick<Guarded<State>, "equals">;
  settle(fold: KeyFold<State>): State;
}

/** Creates the hooks of a view. */
export function createHooks<State>({ folds, guarded, settle }: HooksOptions<State>): Hooks<State> {
  const changes = createEmitter<ViewChange<State>>();

  function begin(): void {
    for (const fold of folds.values()) fold.told = settle(fold);
  }

  return {
    begin,
    isHeard: () => changes.size > 0,
    on(listener) {
      // While nobody listens nothing is remembered.
      if (changes.size === 0) begin();
      return changes.on(listener);
    },
    tell(key) {
      const fold = folds.get(key);
      if (changes.size === 0 || !fold || fold.isLoading) return;
      const before = fold.told;
      const after = settle(fold);
      fold.told = after;
      if (before === undefined || !guarded.equals(key, before, after)) changes.emit({ key, before, after });
    },
  };
}
