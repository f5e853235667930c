import type * as Y from "yjs";
import { FlockError } from "../../base/index.ts";
import type { Write } from "../write.ts";
import { type Evolution, readEvolved, writeEvolved } from "./evolution.ts";
import { createSnapshot, freeze, plainOf, type Snapshot, type StateHost, toJson } from "./handle.ts";
import { parseValue, type StandardSchema } from "./standard-schema.ts";

/** Rows by one of their fields. A row is written whole: of two writes at once, one wins on every replica. */
export interface TableHandle<Row> extends Snapshot<readonly Row[]> {
  readonly y: Y.Map<unknown>;
  /** The row with this key; undefined where there is none, or it does not fit the schema. */
  row(key: string): Row | undefined;
  /** Inserts the row, or replaces the one with its key. @throws `crdt/invalid-value` */
  set(row: Row): Write;
  delete(key: string): Write;
}

/** A table in a room's state. */
export interface TableDefinition<Row> {
  readonly kind: "table";
  bind(host: StateHost, name: string): TableHandle<Row>;
}

/** The fields of a row that can be its key. */
export type KeyOf<Row> = { [Field in keyof Row]: Row[Field] extends string ? Field : never }[keyof Row] &
  string;

/**
 * Declares a table of rows that fit a schema; `key` names the field, a string, that tells rows apart. Fields of a row
 * that only other versions of the application know survive a `set`; `upgrade` and `downgrade` let versions with rows
 * of different shapes work on one table.
 */
export function table<Row>(
  schema: StandardSchema<unknown, Row>,
  { key, ...evolution }: { key: KeyOf<Row> } & Evolution<Row>,
): TableDefinition<Row> {
  return {
    kind: "table",
    bind(host, name) {
      const y = host.document.getMap<unknown>(name);

      function read(rowKey: string, raw: unknown): Row | undefined {
        const plain = plainOf(raw);
        const row = plain === undefined ? undefined : readEvolved(schema, plain, evolution);
        return row != null && row[key] === rowKey ? freeze(row) : undefined;
      }

      const snapshot = createSnapshot(host.document, y, () => {
        const rows: Row[] = [];
        for (const rowKey of [...y.keys()].sort()) {
          const row = read(rowKey, y.get(rowKey));
          if (row !== undefined) rows.push(row);
        }
        return Object.freeze(rows);
      });

      return {
        ...snapshot,
        y,
        row: (rowKey) => read(rowKey, y.get(rowKey)),
        set(value) {
          const row = parseValue(schema, value, `a row of ${name}`);
          const rowKey: unknown = row?.[key];
          if (typeof rowKey !== "string" || rowKey === "" || rowKey === "__proto__") {
            throw new FlockError(
              "crdt/invalid-value",
              `A row of ${name} needs a non-empty string in ${key}.`,
            );
          }
          const over = plainOf(y.get(rowKey));
          const json = toJson(
            writeEvolved(schema, { value: row, json: toJson(row, `a row of ${name}`), over }, evolution),
            `a row of ${name}`,
          );
          return host.transact(() => y.set(rowKey, json));
        },
        delete: (rowKey) => host.transact(() => y.delete(rowKey)),
      };
    },
  };
}
