import { FlockError } from "../../base/index.ts";
import type { Entry } from "../lanes/entry.ts";
import type { ViewDefinition } from "./definition.ts";
import { sameJson } from "./same-json.ts";

/** A definition whose functions never throw: what they throw is told, once for each key and function. */
export interface Guarded<State> {
  readonly mayReturn: boolean;
  /** An entry whose key cannot be told belongs to none. */
  key(entry: Entry): string | undefined;
  /** Undefined where the key can't begin. */
  init(key: string): { state: State } | undefined;
  /** The state before where the step fails. */
  step(key: string, state: State, entry: Entry): State;
  /** False where it can't be told. */
  isClosed(key: string, state: State): boolean;
  /** False where it can't be told. */
  equals(key: string, before: State, after: State): boolean;
}

/** Guards a definition. */
export function guardDefinition<State>(
  definition: ViewDefinition<State>,
  onProblem: (error: FlockError) => void,
): Guarded<State> {
  const told = new Set<string>();

  function attempt<Result>(what: string, key: string, run: () => Result, otherwise: Result): Result {
    try {
      return run();
    } catch (cause) {
      const place = `${what}/${key}`;
      if (!told.has(place)) {
        told.add(place);
        onProblem(
          new FlockError("crdt/view-failed", `A view's ${what} threw for ${JSON.stringify(key)}.`, {
            cause,
            details: { what, key },
          }),
        );
      }
      return otherwise;
    }
  }

  return {
    mayReturn: definition.mayReturn ?? false,
    key: (entry) => attempt("key", entry.kind, () => definition.key(entry), undefined),
    init: (key) => attempt("init", key, () => ({ state: definition.init(key) }), undefined),
    step: (key, state, entry) => attempt("step", key, () => definition.step(state, entry), state),
    isClosed: (key, state) => attempt("isClosed", key, () => definition.isClosed?.(state) ?? false, false),
    equals: (key, before, after) =>
      attempt("equals", key, () => (definition.equals ?? sameJson)(before, after), false),
  };
}
