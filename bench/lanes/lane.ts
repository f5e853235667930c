import { createHybridClock, systemClock, systemRandom } from "../../src/base/index.ts";
import {
  createInMemoryPersistence,
  defaultRetention,
  type PageStore,
  type Persistence,
} from "../../src/crdt/index.ts";
import { createEntryLog, type EntryLog } from "../../src/crdt/lanes/entry-log.ts";
import type { Appended } from "../../src/crdt/lanes/own-lane.ts";
import { loadReceived } from "../../src/crdt/lanes/received.ts";
import { openWriter, type Writer } from "../../src/crdt/writers/writer.ts";
import type { EntryRecord } from "../../src/protocol/index.ts";
import { createInMemoryStore } from "../../src/refstore/index.ts";

export const writerName = "anon.bench.AAAAAAAAAAA";
/** What one turn writes where writing is batched. */
export const batchEntries = 256;

/** A message of about 250 bytes as an agent's entry. */
export function entry(index: number): EntryRecord {
  return {
    kind: "message",
    parents: [],
    body: {
      type: "STATUS",
      topic: "progress",
      schemaVersion: "1.0",
      content: { task: "describe", column: "IMDB Rating", index, note: "x".repeat(96) },
    },
  };
}

/** A page store in memory. */
export function createPages(): PageStore {
  const store = createInMemoryStore({ maxBytes: Number.MAX_SAFE_INTEGER });
  return {
    put: async (seal) => (await store.put(seal)).id,
    relayed: async () => undefined,
    restore: async () => undefined,
    get: (hash) => store.get(hash),
    async delete(hash) {
      await store.delete(hash);
    },
  };
}

/** A writer over a database in memory, without a relay. */
export async function openBenchWriter({
  log = createEntryLog(),
  persistence = createInMemoryPersistence(),
}: {
  log?: EntryLog;
  persistence?: Persistence;
} = {}): Promise<Writer> {
  return openWriter({
    id: writerName,
    records: await persistence.open("writer"),
    log,
    hybrid: createHybridClock(systemClock),
    clock: systemClock,
    random: systemRandom,
    link: undefined,
    pages: createPages(),
    retention: defaultRetention,
    onPending: () => undefined,
    onProblem(error) {
      throw error;
    },
  });
}

/** A replica that applies what others wrote: gate, document, entries. */
export async function openBenchReader(log: EntryLog = createEntryLog()) {
  return loadReceived(await createInMemoryPersistence().open("records"), {
    log,
    hybrid: createHybridClock(systemClock),
    random: systemRandom,
    standingOf: () => "live",
  });
}

/** Appends entries, so many in one turn, and resolves when the last is stored. */
export async function append(
  writer: Pick<Writer, "append" | "flush">,
  count: number,
  perTurn = batchEntries,
): Promise<void> {
  for (let done = 0; done < count; done += perTurn) {
    let last: Appended | undefined;
    for (let index = done; index < Math.min(count, done + perTurn); index++) {
      last = writer.append(entry(index));
    }
    await last?.shown();
  }
  await writer.flush();
}
