import type {
  AuditEntry,
  RoomStorage,
  StoredClock,
  StoredPlace,
  StoredRow,
  StoredSize,
} from "../edge/index.ts";
import type { ContractCase } from "./reference-store-contract.ts";

/**
 * What the storage of a room promises the relay. `open` gives an empty storage.
 *
 * @example
 * ```ts
 * for (const { id, title, run } of roomStorageContract(async () => createInMemoryStorage())) test(`${id}: ${title}`, run);
 * ```
 */
export function roomStorageContract(open: () => Promise<RoomStorage>): ContractCase[] {
  const cases: ContractCase[] = [];
  const add = (id: string, title: string, check: (storage: RoomStorage) => void) => {
    cases.push({ id, title, run: async () => check(await open()) });
  };

  add("ROWS-1", "an empty storage holds nothing", (storage) => {
    same(storage.setting("epoch"), undefined);
    same(storage.documentNamed("shared"), undefined);
    same(storage.documentNumbered(1), undefined);
    same([storage.lastDocument(), storage.head()], [0, 0]);
    same([...storage.rowsAfter(0)], []);
    same([...storage.rowsOf(1)], []);
    same([storage.documentsAfter(0, 9), storage.documentCount()], [[], 0]);
    same([storage.size(), storage.size(1)], [none, none]);
    same(storage.clock(1, 1), undefined);
    same([...storage.clocks(1)], []);
    same(storage.placeAt(1, 1, 9), undefined);
    same([storage.auditAfter(0, 9), storage.lastAudit()], [[], 0]);
    same(storage.longDocuments(0, 9), []);
    same([storage.revocation("token", "t"), storage.revocations()], [undefined, []]);
  });

  add("ROWS-2", "what a commit wrote is read back", (storage) => {
    storage.commit({
      settings: { epoch: "e1", presences: "65" },
      documents: [
        { id: 1, name: "shared" },
        { id: 2, name: "lane/anon.a.b/0-7" },
      ],
      rows: [row(1, 1, 10), row(2, 2, 20)],
      clocks: [clock(1, 2 ** 32 - 1, 2 ** 31)],
      places: [place(5, 3, 6, 2)],
    });
    same([storage.setting("epoch"), storage.setting("presences")], ["e1", "65"]);
    same(storage.documentNamed("shared"), { id: 1, name: "shared" });
    same(storage.documentNumbered(2), { id: 2, name: "lane/anon.a.b/0-7" });
    same([storage.lastDocument(), storage.head()], [2, 2]);
    same([...storage.rowsAfter(0)], [row(1, 1, 10), row(2, 2, 20)]);
    same(storage.clock(1, 2 ** 32 - 1), clock(1, 2 ** 32 - 1, 2 ** 31));
    same(storage.placeAt(1, 5, 4), place(5, 3, 6, 2));
  });

  add("ROWS-3", "rows come in the order of their sequence, from a cursor or of one document", (storage) => {
    storage.commit({ rows: [row(1, 1), row(2, 2)] });
    storage.commit({ rows: [row(3, 1)] });
    const sequences = (rows: Iterable<StoredRow>) => [...rows].map(({ sequence }) => sequence);
    same(sequences(storage.rowsAfter(0)), [1, 2, 3]);
    same(sequences(storage.rowsAfter(1)), [2, 3]);
    same(sequences(storage.rowsAfter(3)), []);
    same(sequences(storage.rowsOf(1)), [1, 3]);
    same(sequences(storage.rowsOf(9)), []);
  });

  add(
    "ROWS-4",
    "a setting, a clock, a run of places and a revocation are replaced by the next of their key",
    (storage) => {
      for (const value of [1, 2]) {
        storage.commit({
          settings: { epoch: `e${value}` },
          clocks: [clock(1, 7, value)],
          places: [place(7, 0, value, 1)],
          revocations: [
            { kind: "token", value: "t", before: value },
            { kind: "principal", value: "t", before: 9 },
          ],
        });
      }
      same(storage.setting("epoch"), "e2");
      same([...storage.clocks(1)], [clock(1, 7, 2)]);
      same(storage.placeAt(1, 7, 0)?.to, 2);
      same(storage.revocation("token", "t")?.before, 2);
      same(storage.revocation("principal", "t")?.before, 9);
      same(storage.revocation("principal", "u"), undefined);
      same(storage.revocations().length, 2);
      storage.commit({ clearRevocations: true, revocations: [{ kind: "token", value: "v", before: 3 }] });
      same(storage.revocations(), [{ kind: "token", value: "v", before: 3 }]);
      storage.commit({ settings: { epoch: undefined } });
      same(storage.setting("epoch"), undefined);
    },
  );

  add("ROWS-5", "the place of a clock is that of the run that begins last before it", (storage) => {
    const runs = [place(7, 0, 2, 1), { ...place(7, 5, 9, 3), keyed: true }, place(8, 6, 7, 4)];
    storage.commit({ places: runs });
    same(storage.placeAt(1, 7, 4), runs[0]);
    same(storage.placeAt(1, 7, 5), runs[1]);
    same(storage.placeAt(1, 7, 100), runs[1]);
    same(storage.placeAt(1, 8, 5), undefined);
    same(storage.placeAt(2, 7, 5), undefined);
  });

  add("ROWS-6", "documents and clients keep their clocks apart", (storage) => {
    storage.commit({
      clocks: [clock(1, 7, 1), clock(1, 8, 2, "bob"), clock(2, 7, 3)],
    });
    const clocks = [...storage.clocks(1)].sort((a, b) => a.client - b.client);
    same(clocks, [clock(1, 7, 1), clock(1, 8, 2, "bob")]);
    same([storage.clock(2, 7)?.clock, storage.clock(2, 8)?.clock], [3, undefined]);
  });

  for (const [what, clash] of [
    ["a row's place", { rows: [row(1, 1)] }],
    ["a row's place within itself", { rows: [row(2, 1), row(2, 2)] }],
    ["a document's number", { documents: [{ id: 1, name: "shared/other" }] }],
    ["a document's name", { documents: [{ id: 9, name: "shared" }] }],
  ] as const) {
    add("ROWS-7", `a commit that takes ${what} twice throws, and writes nothing`, (storage) => {
      storage.commit({ documents: [{ id: 1, name: "shared" }], rows: [row(1, 1)] });
      throws(() =>
        storage.commit({
          settings: { epoch: "half" },
          clocks: [clock(1, 7, 5)],
          places: [place(7, 0, 5, 1)],
          audit: [entry("half")],
          ...clash,
        }),
      );
      same(storage.setting("epoch"), undefined);
      same([storage.lastDocument(), storage.head(), storage.clock(1, 7)], [1, 1, undefined]);
      same([...storage.rowsAfter(0)], [row(1, 1)]);
      same([storage.placeAt(1, 7, 0), storage.auditAfter(0, 9)], [undefined, []]);
    });
  }

  add("ROWS-8", "a row of 1 MiB is kept whole, and apart from the writer's memory", (storage) => {
    const parts = new Uint8Array(1024 * 1024).fill(7);
    const window = parts.subarray(1);
    storage.commit({ rows: [{ ...row(1, 1), parts: window }] });
    parts.fill(0);
    const [stored] = storage.rowsAfter(0);
    same([stored?.parts.length, stored?.parts.every((byte) => byte === 7)], [parts.length - 1, true]);
  });

  add("ROWS-10", "a snapshot takes the place of the rows that it replaces, before newer ones", (storage) => {
    storage.commit({ rows: [row(1, 1), row(2, 2), row(3, 1), row(4, 1)] });
    storage.commit({
      removeRows: [{ document: 1, upTo: 3 }],
      rows: [row(3, 1, 7, 1), row(3, 1, 8, 0)],
    });
    const kept = [row(3, 1, 8, 0), row(3, 1, 7, 1), row(4, 1)];
    same([...storage.rowsAfter(0)], [row(2, 2), ...kept]);
    same([...storage.rowsAfter(2)], kept);
    same([...storage.rowsAfter(3)], [row(4, 1)]);
    same([...storage.rowsOf(1)], kept);
    same(storage.head(), 4);
    storage.commit({ removeRows: [{ document: 1, upTo: 4 }], rows: [row(4, 1, 9)] });
    same([...storage.rowsAfter(0)], [row(2, 2), row(4, 1, 9)]);
  });

  add("ROWS-11", "the sizes of a document and of the room follow what is written and removed", (storage) => {
    storage.commit({ rows: [row(1, 1), row(2, 2), row(3, 1)] });
    same([storage.size(1), storage.size(2)], [size(2, 4), size(1, 2)]);
    same([storage.size(), storage.size(9)], [size(3, 6), none]);
    storage.commit({ removeRows: [{ document: 1, upTo: 3 }], rows: [row(3, 1)] });
    same([storage.size(1), storage.size()], [size(1, 2), size(2, 4)]);
  });

  add("ROWS-15", "documents of many rows are found, in order", (storage) => {
    storage.commit({ rows: [row(1, 2), row(2, 1), row(3, 1), row(4, 2), row(5, 3)] });
    same(storage.longDocuments(2, 9), [1, 2]);
    same([storage.longDocuments(2, 1), storage.longDocuments(3, 9)], [[1], []]);
  });

  add("ROWS-12", "documents are listed in order, from a number on", (storage) => {
    const documents = [3, 1, 2].map((id) => ({ id, name: `shared/${id}` }));
    storage.commit({ documents });
    const idsAfter = (after: number, limit: number) =>
      storage.documentsAfter(after, limit).map(({ id }) => id);
    same([idsAfter(0, 9), idsAfter(0, 2), idsAfter(2, 9), idsAfter(3, 9)], [[1, 2, 3], [1, 2], [3], []]);
    same(storage.documentCount(), 3);
  });

  add(
    "ROWS-13",
    "audit entries are numbered as they come, also after a trim that leaves but the newest",
    (storage) => {
      storage.commit({ audit: [entry("a"), entry("b")] });
      storage.commit({ audit: [entry("c")] });
      const named = (after: number, limit = 9) =>
        storage.auditAfter(after, limit).map(({ id, subject }) => [id, subject]);
      same(storage.auditAfter(2, 9), [{ ...entry("c"), id: 3 }]);
      same(
        [named(0, 2), named(3)],
        [
          [
            [1, "a"],
            [2, "b"],
          ],
          [],
        ],
      );
      same(storage.lastAudit(), 3);
      storage.commit({ trimAudit: 1 });
      same(named(0), [
        [2, "b"],
        [3, "c"],
      ]);
      storage.commit({ trimAudit: 99 });
      storage.commit({ audit: [entry("d")] });
      same(named(0), [
        [3, "c"],
        [4, "d"],
      ]);
    },
  );

  add(
    "ROWS-14",
    "a clear removes everything but the audit entries, before anything else is written",
    (storage) => {
      storage.commit({
        settings: { epoch: "e1", presences: "65" },
        documents: [{ id: 1, name: "shared" }],
        rows: [row(1, 1)],
        clocks: [clock(1, 7, 1)],
        places: [place(7, 0, 1, 1)],
        audit: [entry("a")],
        revocations: [{ kind: "token", value: "t", before: 1 }],
      });
      storage.commit({
        clear: true,
        settings: { epoch: "e2" },
        documents: [{ id: 1, name: "shared/other" }],
        rows: [row(1, 1, 9)],
      });
      same([storage.setting("epoch"), storage.setting("presences")], ["e2", undefined]);
      same([storage.documentNamed("shared"), storage.documentNumbered(1)?.name], [undefined, "shared/other"]);
      same([...storage.rowsAfter(0)], [row(1, 1, 9)]);
      same([storage.clock(1, 7), storage.placeAt(1, 7, 0)], [undefined, undefined]);
      same([storage.auditAfter(0, 9).length, storage.revocations()], [1, []]);
    },
  );

  return cases;
}

const none: StoredSize = { rows: 0, bytes: 0 };

function size(rows: number, bytes: number): StoredSize {
  return { rows, bytes };
}

function clock(document: number, client: number, next: number, owner = "alice"): StoredClock {
  return { document, client, clock: next, owner };
}

function place(client: number, from: number, to: number, depth: number): StoredPlace {
  return { document: 1, client, from, to, depth, keyed: false };
}

function entry(subject: string): AuditEntry {
  return {
    at: 1_700_000_000_000,
    principal: "alice",
    tokenId: "t1",
    subject,
    ranges: [{ client: 2 ** 32 - 1, from: 0, to: 5 }],
    bytes: 10,
    verdict: "accepted",
  };
}

function row(sequence: number, document: number, fill = sequence, piece = 0): StoredRow {
  return { sequence, piece, document, parts: new Uint8Array([fill, fill]) };
}

function same(actual: unknown, expected: unknown): void {
  const [found, wanted] = [actual, expected].map((value) => JSON.stringify(value) ?? "undefined");
  if (found !== wanted) throw new Error(`Expected ${wanted}, found ${found}.`);
}

function throws(run: () => void): void {
  try {
    run();
  } catch {
    // Which error is the storage's own affair.
    return;
  }
  throw new Error("The commit did not throw.");
}
