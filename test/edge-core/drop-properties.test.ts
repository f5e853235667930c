import { expect, test } from "vitest";
import { createInMemoryStorage, type RoomStorage, type StorageCommit } from "../../src/edge/index.ts";
import { pageRoot, parseDocumentName } from "../../src/protocol/index.ts";
import { createRandom } from "../protocol/gate/random.ts";
import { pageOf, pageUpdates } from "./documents.ts";
import { createLedgerWorld, grantOf } from "./ledgers.ts";

/** Lives; `FLOCKSTATE_LIVES` raises it. */
const lives = Number(process.env["FLOCKSTATE_LIVES"] ?? 60);
const owner = grantOf("anon");
const steps = 200;
const clients = [3, 4, 5, 6];

/** What a page holds: values that were appended since it was begun. */
type Model = Map<number, number>;

class Crash extends Error {}

interface Life {
  broken: string[];
  drops: number;
  crashes: number;
}

/** Lives a seed: appends, drops, compactions, turns that crash before or after they are stored. */
function live(seed: number, alter: (storage: RoomStorage) => RoomStorage = (storage) => storage): Life {
  const random = createRandom(seed);
  const stored = alter(createInMemoryStorage());
  let fate = 9;
  const storage: RoomStorage = {
    ...stored,
    commit(changes) {
      if (fate === 0) throw new Crash();
      stored.commit(changes);
      if (fate === 1) throw new Crash();
    },
  };
  const life: Life = { broken: [], drops: 0, crashes: 0 };
  let world = createLedgerWorld({ storage });
  /** What is committed, and what it will be at the end of the turn. */
  let before: Model = new Map();
  let after: Model = new Map();
  let head = 0;
  const given = new Map<number, string>();

  function append(client: number): void {
    const length = after.get(client) ?? 0;
    const update = pageUpdates(
      client,
      Array.from({ length: length + 1 }, (_, index) => index),
    )[length];
    const refused = update && world.offer(pageOf(client), update, owner);
    if (refused) life.broken.push(`refused: ${refused.code}`);
    after.set(client, length + 1);
  }

  function drop(client: number): void {
    const refused = world.ledger.drop(parseDocumentName(pageOf(client)), owner);
    if (refused) life.broken.push(`refused: ${refused.code}`);
    after.delete(client);
    life.drops++;
  }

  function judge(): void {
    for (const client of clients) {
      const values = world.read(pageOf(client)).getArray(pageRoot).toArray();
      const length = before.get(client) ?? 0;
      if (values.join() !== [...Array(length).keys()].join()) life.broken.push(`${client}: ${values}`);
      const document = stored.documentNamed(pageOf(client));
      if ((document !== undefined) !== before.has(client)) life.broken.push(`${client}: there or not`);
      if (!document) continue;
      const known = given.get(document.id);
      given.set(document.id, document.name);
      if (known !== undefined && known !== document.name) life.broken.push(`${document.id}: given twice`);
      if (stored.clock(document.id, client)?.clock !== length) life.broken.push(`${client}: clock`);
    }
    if (stored.head() < head) life.broken.push("the head went back");
    head = stored.head();
    const size = [...stored.rowsAfter(0)].reduce((sum, { parts }) => sum + parts.length, 0);
    if (stored.size().bytes !== size || stored.documentCount() !== before.size) life.broken.push("counts");
    for (const { document } of stored.rowsAfter(0)) {
      if (!stored.documentNumbered(document)) life.broken.push(`a row of ${document}, which is gone`);
    }
  }

  for (let step = 0; step < steps; step++) {
    const client = random.pick(clients);
    const kind = random.below(10);
    if (kind < 5) append(client);
    else if (kind < 7) drop(client);
    else if (kind === 7) world.ledger.compact(stored.documentNamed(pageOf(client))?.id ?? 0);
    else {
      fate = random.below(12);
      try {
        world.ledger.commit();
        before = new Map(after);
      } catch (cause) {
        if (!(cause instanceof Crash)) throw cause;
        life.crashes++;
        if (fate === 1) before = new Map(after);
        after = new Map(before);
        world = createLedgerWorld({ storage });
      }
      fate = 9;
      judge();
    }
  }
  return life;
}

test("DROP-11: whatever is appended, dropped, compacted and cut off by crashes, each page is what came since its last drop", () => {
  const total = { drops: 0, crashes: 0 };
  for (let seed = 0; seed < lives; seed++) {
    const { broken, drops, crashes } = live(seed);
    expect({ seed, broken }).toEqual({ seed, broken: [] });
    total.drops += drops;
    total.crashes += crashes;
  }
  expect(Math.min(total.drops, total.crashes)).toBeGreaterThan(lives);
});

const altering =
  (change: (changes: StorageCommit) => StorageCommit) =>
  (storage: RoomStorage): RoomStorage => ({
    ...storage,
    commit: (changes) => storage.commit(change(changes)),
  });

test.each<[string, (storage: RoomStorage) => RoomStorage]>([
  ["forgets drops", altering(({ dropDocuments: _, ...changes }) => changes)],
  [
    "drops the rows alone",
    altering(({ dropDocuments = [], ...changes }) => ({
      ...changes,
      removeRows: [
        ...(changes.removeRows ?? []),
        ...dropDocuments.map((document) => ({ document, upTo: 1e9 })),
      ],
    })),
  ],
  [
    "lets its head go back",
    (storage) => ({
      ...storage,
      head: () => Math.max(0, ...[...storage.rowsAfter(0)].map(({ sequence }) => sequence)),
    }),
  ],
  [
    "gives numbers again",
    (storage) => ({
      ...storage,
      lastDocument: () => Math.max(0, ...storage.documentsAfter(0, 100).map(({ id }) => id)),
    }),
  ],
])("DROP-11: control: a storage that %s is caught", (_, alter) => {
  let caught = 0;
  for (let seed = 0; seed < 12; seed++) {
    try {
      if (live(seed, alter).broken.length > 0) caught++;
    } catch {
      // Names or numbers that are taken twice: the storage says so itself.
      caught++;
    }
  }
  expect(caught).toBeGreaterThan(3);
});
