import type * as Y from "yjs";
import { FlockError } from "../../base/index.ts";
import type { Json } from "../../protocol/index.ts";
import type { Write } from "../write.ts";
import { createSnapshot, freeze, plainOf, type Snapshot, type StateHost, toJson } from "./handle.ts";
import { fitting, parseValue, type StandardSchema } from "./standard-schema.ts";

/** Values by key; of two that are set at once, one wins on every replica. */
export interface MapHandle<T> extends Snapshot<Readonly<Record<string, T>>> {
  readonly y: Y.Map<unknown>;
  /** @throws `crdt/invalid-value` */
  set(key: string, value: T): Write;
  delete(key: string): Write;
}

/** A map in a room's state. */
export interface MapDefinition<T> {
  readonly kind: "map";
  bind(host: StateHost, name: string): MapHandle<T>;
}

/** Declares a shared map; with a schema, values that do not fit are refused on write and left out on read. */
export function map<T = Json>(schema?: StandardSchema<unknown, T>): MapDefinition<T> {
  return {
    kind: "map",
    bind(host, name) {
      const y = host.document.getMap<unknown>(name);
      return {
        ...createSnapshot(host.document, y, () => readValues(y, schema)),
        y,
        set(key, value) {
          if (typeof key !== "string" || key === "__proto__") {
            throw new FlockError(
              "crdt/invalid-value",
              `${name} takes no key ${JSON.stringify(key)}: use another string.`,
            );
          }
          const json = toJson(schema ? parseValue(schema, value, `${name}.${key}`) : value, `${name}.${key}`);
          return host.transact(() => y.set(key, json));
        },
        delete: (key) => host.transact(() => y.delete(key)),
      };
    },
  };
}

function readValues<T>(
  y: Y.Map<unknown>,
  schema: StandardSchema<unknown, T> | undefined,
): Readonly<Record<string, T>> {
  const values: Record<string, T> = Object.create(null);
  // Sorted, because the order of Yjs is that of arrival.
  for (const [key, raw] of [...y.entries()].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const plain = plainOf(raw);
    const value = schema && plain !== undefined ? fitting(schema, plain) : (plain as T | undefined);
    if (value !== undefined) values[key] = freeze(value);
  }
  return Object.freeze(values);
}
