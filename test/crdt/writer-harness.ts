import { createHybridClock, type FlockError } from "../../src/base/index.ts";
import { defaultRetention } from "../../src/crdt/index.ts";
import { createEntryLog } from "../../src/crdt/lanes/entry-log.ts";
import { createInMemoryPersistence } from "../../src/crdt/persistence/in-memory.ts";
import type { KeyValueStore, Persistence, StoredChange } from "../../src/crdt/persistence/port.ts";
import { openWriter } from "../../src/crdt/writers/writer.ts";
import type { RegisterRecord } from "../../src/protocol/index.ts";
import { createManualClock } from "../refstore/manual-clock.ts";
import { createLocalPages } from "./pages.ts";
import { createScriptedLink, type ScriptedLink } from "./scripted-link.ts";

export const writerName = "anon.planner.AAAAAAAAAAA";

export const register = (capabilities: readonly string[] = []): RegisterRecord => ({
  version: 1,
  since: 1,
  capabilities: [...capabilities],
  consumers: {},
});

let seed = 0;
/** Random enough for tests: never the same twice. */
export const random = (length: number): Uint8Array =>
  new Uint8Array(length).map(() => (seed = (seed * 181 + 97) % 65_521));

/** A database whose writes can be made to fail, and are counted. */
export function watched(records: KeyValueStore) {
  const state = { fails: false, writes: [] as string[][] };
  const store: KeyValueStore = {
    ...records,
    async write(change: StoredChange) {
      if (state.fails) throw new Error("disk full");
      state.writes.push((change.put ?? []).map(([key]) => key));
      await records.write(change);
    },
  };
  return { store, state };
}

/** Opens a writer over a database, with everything that it may use in the test's hands. */
export async function setUpWriter({
  persistence = createInMemoryPersistence(),
  link = createScriptedLink(),
  alone = false,
  startMs = 1_000,
}: {
  persistence?: Persistence;
  link?: ScriptedLink;
  /** Without a relay. */
  alone?: boolean;
  startMs?: number;
} = {}) {
  const clock = createManualClock(startMs);
  const log = createEntryLog();
  const problems: FlockError[] = [];
  const { store, state } = watched(await persistence.open(`writer/${writerName}`));
  const told: string[] = [];
  const writer = await openWriter({
    id: writerName,
    records: store,
    log,
    hybrid: createHybridClock(clock),
    clock,
    random,
    link: alone ? undefined : link,
    pages: createLocalPages(),
    retention: defaultRetention,
    onPending: () => undefined,
    onProblem: (error) => problems.push(error),
  });
  writer.stored.on(({ name }) => told.push(name));
  const append = (body: string) => writer.append({ kind: "note", parents: [], body });
  const bodies = () => log.pages(writerName).map(({ entries }) => entries.map(({ body }) => body));
  return { writer, clock, log, problems, state, told, persistence, link, append, bodies };
}
