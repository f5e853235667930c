import type * as Y from "yjs";
import { FlockError } from "../../base/index.ts";
import type { Json } from "../../protocol/index.ts";
import type { Write } from "../write.ts";
import { type Evolution, readEvolved, writeEvolved } from "./evolution.ts";
import { createSnapshot, freeze, plainOf, type Snapshot, type StateHost, toJson } from "./handle.ts";
import { parseValue, type StandardSchema } from "./standard-schema.ts";

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

export interface MapOptions<T> extends Evolution<T> {
  /** What is read where nobody has set anything; never written. */
  defaults?: Readonly<Record<string, T>>;
}

/**
 * Declares a shared map; with a schema, values that do not fit are refused on write and left out on read. `upgrade` and
 * `downgrade` are as for tables, and need a schema.
 */
export function map<T = Json>(
  schema?: StandardSchema<unknown, T>,
  { defaults = {}, ...evolution }: MapOptions<T> = {},
): MapDefinition<T> {
  // Without a prototype, or whoever sets `constructor` to what does not fit would have `Object` read.
  const unset: Readonly<Record<string, T>> = Object.assign(Object.create(null), structuredClone(defaults));
  return {
    kind: "map",
    bind(host, name) {
      const y = host.document.getMap<unknown>(name);

      function readValue(raw: unknown): T | undefined {
        const plain = plainOf(raw);
        if (!schema || plain === undefined) return plain as T | undefined;
        return readEvolved(schema, plain, evolution);
      }

      return {
        ...createSnapshot(host.document, y, () => readValues(y, readValue, unset)),
        y,
        set(key, value) {
          if (typeof key !== "string" || key === "__proto__") {
            throw new FlockError(
              "crdt/invalid-value",
              `${name} takes no key ${JSON.stringify(key)}: use another string.`,
            );
          }
          const what = `${name}.${key}`;
          const parsed = schema ? parseValue(schema, value, what) : value;
          const plain = toJson(parsed, what);
          const over = plainOf(y.get(key));
          const json = schema
            ? toJson(writeEvolved(schema, { value: parsed, json: plain, over }, evolution), what)
            : plain;
          return host.transact(() => y.set(key, json));
        },
        delete: (key) => host.transact(() => y.delete(key)),
      };
    },
  };
}

function readValues<T>(
  y: Y.Map<unknown>,
  readValue: (raw: unknown) => T | undefined,
  defaults: Readonly<Record<string, T>>,
): Readonly<Record<string, T>> {
  const values: Record<string, T> = Object.create(null);
  // Sorted, because the order of Yjs is that of arrival.
  for (const key of [...new Set([...y.keys(), ...Object.keys(defaults)])].sort()) {
    const value = readValue(y.get(key)) ?? defaults[key];
    if (value !== undefined) values[key] = freeze(value);
  }
  return Object.freeze(values);
}
