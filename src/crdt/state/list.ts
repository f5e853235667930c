import type * as Y from "yjs";
import { FlockError } from "../../base/index.ts";
import type { Json } from "../../protocol/index.ts";
import type { Write } from "../write.ts";
import { createSnapshot, freeze, plainOf, type Snapshot, type StateHost, toJson } from "./handle.ts";
import { fitting, parseValue, type StandardSchema } from "./standard-schema.ts";

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

/** Declares a shared list; with a schema, values that do not fit are refused on write and left out on read. */
export function list<T = Json>(schema?: StandardSchema<unknown, T>): ListDefinition<T> {
  return {
    kind: "list",
    bind(host, name) {
      const y = host.document.getArray<unknown>(name);
      const accept = (value: T): Json => toJson(schema ? parseValue(schema, value, name) : value, name);
      return {
        ...createSnapshot(host.document, y, () => readValues(y, schema)),
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

function readValues<T>(y: Y.Array<unknown>, schema: StandardSchema<unknown, T> | undefined): readonly T[] {
  const values: T[] = [];
  for (const raw of y.toArray()) {
    const plain = plainOf(raw);
    const value = schema && plain !== undefined ? fitting(schema, plain) : (plain as T | undefined);
    if (value !== undefined) values.push(freeze(value));
  }
  return Object.freeze(values);
}
