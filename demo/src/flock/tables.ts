import type { Reference } from "flockstate";
import { parseTable } from "../data/parse-table.ts";
import type { Table } from "../data/table.ts";
import type { FlockRoom } from "./state.ts";

/** Data sets as tables, parsed once for all tasks that follow one another. */
export interface Tables {
  /** Resolves with the table once its bytes are here; rejects with `TableError`, or with the signal's reason. */
  get(reference: Reference, signal: AbortSignal): Promise<Table>;
}

const maxTables = 3;

/** Creates the analysts' tables over a room's references; the last three stay parsed. */
export function createTables(room: FlockRoom): Tables {
  const parsed = new Map<string, Table>();
  return {
    async get(reference, signal) {
      const known = parsed.get(reference.id);
      if (known !== undefined) return known;
      const table = parseTable(await room.refs.resolve(reference, { signal }));
      parsed.set(reference.id, table);
      const oldest = parsed.keys().next().value;
      if (parsed.size > maxTables && oldest !== undefined) parsed.delete(oldest);
      return table;
    },
  };
}
