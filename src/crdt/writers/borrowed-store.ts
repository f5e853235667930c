import type { KeyValueStore } from "../persistence/port.ts";
import { acknowledgedKey } from "./writer-records.ts";

/**
 * A writer's database without its lock: it may be read by several tabs, and one may write it. All that is taken is what
 * the relay has acknowledged, which is as true from any of them.
 */
export function createBorrowedStore(records: KeyValueStore): KeyValueStore {
  return {
    ...records,
    async write({ put = [] }) {
      const taken = put.filter(([key]) => key === acknowledgedKey);
      if (taken.length > 0) await records.write({ put: taken });
    },
  };
}
