import { FlockError, isId } from "../../base/index.ts";
import type { StateHost } from "./handle.ts";

/** What a name in a room's state can be. */
export type StatePart = {
  readonly kind: "text" | "map" | "list" | "table";
  bind(host: StateHost, name: string): unknown;
};

/** A room's state by name. */
export type StateSchema = Readonly<Record<string, StatePart>>;

/** The handles of a room's state. */
export type StateOf<S extends StateSchema> = {
  readonly [Name in keyof S]: ReturnType<S[Name]["bind"]>;
};

/**
 * Binds a schema to a document. Nothing is written: a type is there once somebody has put something into it.
 *
 * @throws `crdt/invalid-state`
 */
export function bindState<S extends StateSchema>(host: StateHost, schema: S): StateOf<S> {
  const handles: Record<string, unknown> = {};
  for (const [name, part] of Object.entries(schema)) {
    if (!isId(name) || name === "__proto__") {
      throw new FlockError(
        "crdt/invalid-state",
        `The state's name ${JSON.stringify(name)} is not valid: use 1-64 of A-Za-z0-9_-.`,
      );
    }
    handles[name] = part.bind(host, name);
  }
  return Object.freeze(handles) as StateOf<S>;
}
