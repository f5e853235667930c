import type * as Y from "yjs";
import { FlockError } from "../../base/index.ts";
import type { Json } from "../../protocol/index.ts";
import type { Write } from "../write.ts";
import { type Evolution, readEvolved, writeEvolved } from "./evolution.ts";
import { createSnapshot, freeze, plainOf, type Snapshot, type StateHost, toJson } from "./handle.ts";
import { parseValue, type StandardSchema } from "./standard-schema.ts";

/** Values in an order that all replicas agree on. */
export interface ListHandle<T> extends Snapshot<readonly T[]> {
  readonly y: Y.Array<unknown>;
  /** @throws `crdt/invalid-value` */
  push(...values: T[]): Write;
  /** @throws `crdt/invalid-value` */
  insert(index: number, ...values: T[]): Write;
  /** Deletes `length` values, one by default. @throws `crdt/invalid-value` */
  delete(index: number, length?: number): Write;
}

/** A list in a room's state. */
export interface ListDefinition<T> {
  readonly kind: "list";
  bind(host: StateHost, name: string): ListHandle<T>;
}

/**
 * Declares a shared list; with a schema, values that do not fit are refused on write and left out on read. `upgrade` and
 * `downgrade` are as for tables, and need a schema.
 */
export function list<T = Json>(
  schema?: StandardSchema<unknown, T>,
  evolution: Evolution<T> = {},
): ListDefinition<T> {
  return {
    kind: "list",
    bind(host, name) {
      const y = host.document.getArray<unknown>(name);

      function accept(given: T): Json {
        if (!schema) return toJson(given, name);
        const value = parseValue(schema, given, name);
        const json = toJson(value, name);
        return toJson(writeEvolved(schema, { value, json, over: undefined }, evolution), name);
      }

      function readValue(raw: unknown): T | undefined {
        const plain = plainOf(raw);
        if (!schema || plain === undefined) return plain as T | undefined;
        return readEvolved(schema, plain, evolution);
      }

      return {
        ...createSnapshot(host.document, y, () => readValues(y, readValue)),
        y,
        push(...values) {
          const json = values.map(accept);
          return host.transact(() => y.push(json));
        },
        insert(index, ...values) {
          const json = values.map(accept);
          assertRange(y, name, index, 0);
          return host.transact(() => y.insert(index, json));
        },
        delete(index, length = 1) {
          assertRange(y, name, index, length);
          return host.transact(() => y.delete(index, length));
        },
      };
    },
  };
}

function assertRange(y: Y.Array<unknown>, name: string, index: number, length: number): void {
  if (
    Number.isInteger(index) &&
    Number.isInteger(length) &&
    index >= 0 &&
    length >= 0 &&
    index + length <= y.length
  )
    return;
  throw new FlockError(
    "crdt/invalid-value",
    `${name} has ${y.length} values: ${length} at ${index} are outside of it.`,
    { details: { index, length } },
  );
}

function readValues<T>(y: Y.Array<unknown>, readValue: (raw: unknown) => T | undefined): readonly T[] {
  const values: T[] = [];
  for (const raw of y.toArray()) {
    const value = readValue(raw);
    if (value !== undefined) values.push(freeze(value));
  }
  return Object.freeze(values);
}
