import type {
  AuditEntry,
  RoomStorage,
  StorageCommit,
  StoredClock,
  StoredDocument,
  StoredDroppedPage,
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
    same([storage.idlestWriters(9), storage.documentsOf("a.b.c", 9)], [[], []]);
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
    same([storage.wasDropped(dropped(1, 0, 7)), [...storage.droppedPages(1)]], [false, []]);
    same([storage.droppedCount(), storage.droppedCount(1)], [0, 0]);
    same([storage.revocation("token", "t"), storage.revocations()], [undefined, []]);
  });

  add("ROWS-2", "what a commit wrote is read back", (storage) => {
    storage.commit({
      settings: { epoch: "e1", presences: "65" },
      documents: [
        { id: 1, name: "shared", day: 0 },
        { id: 2, name: "lane/anon.a.b/0-7", writer: "anon.a.b", day: 20_000 },
      ],
      rows: [row(1, 1, 10), row(2, 2, 20)],
      clocks: [clock(1, 2 ** 32 - 1, 2 ** 31)],
      places: [place(5, 3, 6, 2)],
    });
    same([storage.setting("epoch"), storage.setting("presences")], ["e1", "65"]);
    same(storage.documentNamed("shared"), { id: 1, name: "shared", day: 0 });
    same(storage.documentNumbered(2), page(2, "anon.a.b", 20_000, "0-7"));
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
    ["a document's number", { documents: [shared(1, "other")] }],
    ["a document's name", { documents: [{ id: 9, name: "shared", day: 0 }] }],
  ] as const) {
    add("ROWS-7", `a commit that takes ${what} twice throws, and writes nothing`, (storage) => {
      storage.commit({ documents: [{ id: 1, name: "shared", day: 0 }], rows: [row(1, 1)] });
      throws(() =>
        storage.commit({
          settings: { epoch: "half" },
          clocks: [clock(1, 7, 5)],
          places: [place(7, 0, 5, 1)],
          audit: [entry("half")],
          droppedPages: [dropped(1, 0, 7)],
          ...clash,
        }),
      );
      same(storage.setting("epoch"), undefined);
      same([storage.lastDocument(), storage.head(), storage.clock(1, 7)], [1, 1, undefined]);
      same([...storage.rowsAfter(0)], [row(1, 1)]);
      same([storage.placeAt(1, 7, 0), storage.auditAfter(0, 9)], [undefined, []]);
      same(storage.droppedCount(), 0);
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
    const documents = [3, 1, 2].map((id) => shared(id, String(id)));
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
        documents: [{ id: 1, name: "shared", day: 0 }],
        rows: [row(1, 1)],
        clocks: [clock(1, 7, 1)],
        places: [place(7, 0, 1, 1)],
        audit: [entry("a")],
        revocations: [{ kind: "token", value: "t", before: 1 }],
      });
      storage.commit({
        clear: true,
        settings: { epoch: "e2" },
        documents: [shared(1, "other")],
        rows: [row(1, 1, 9)],
      });
      same([storage.setting("epoch"), storage.setting("presences")], ["e2", undefined]);
      same([storage.documentNamed("shared"), storage.documentNumbered(1)?.name], [undefined, "shared/other"]);
      same([...storage.rowsAfter(0)], [row(1, 1, 9)]);
      same([storage.clock(1, 7), storage.placeAt(1, 7, 0)], [undefined, undefined]);
      same([storage.auditAfter(0, 9).length, storage.revocations()], [1, []]);
    },
  );

  add("ROWS-18", "what is dropped is gone, with its rows, clocks and places; others stay", (storage) => {
    storage.commit(threePages());
    storage.commit({ dropDocuments: [2] });
    same([storage.documentNamed("lane/a.b.c/1-7"), storage.documentNumbered(2)], [undefined, undefined]);
    same([...storage.rowsAfter(0)], [row(1, 1), row(3, 3), row(4, 1)]);
    same([[...storage.rowsOf(2)], storage.size(2), storage.size()], [[], none, size(3, 6)]);
    same([[...storage.clocks(2)], storage.clock(2, 7)], [[], undefined]);
    same([storage.placeAt(2, 7, 0), storage.placeAt(2, 8, 0)], [undefined, undefined]);
    same([storage.clock(1, 7), storage.placeAt(1, 7, 0)?.depth], [clock(1, 7, 1), 1]);
    same(
      storage.documentsAfter(0, 9).map(({ id }) => id),
      [1, 3],
    );
    same([storage.documentCount(), storage.documentsOf("a.b.c", 9).length], [2, 2]);
  });

  add("ROWS-19", "neither numbers nor sequences go back, though the newest documents go", (storage) => {
    storage.commit(threePages());
    storage.commit({ dropDocuments: [3, 1] });
    same([storage.head(), storage.lastDocument()], [4, 3]);
    storage.commit({ dropDocuments: [2] });
    same([storage.head(), storage.lastDocument(), storage.documentCount()], [4, 3, 0]);
    same([...storage.rowsAfter(0)], []);
    storage.commit({ dropDocuments: [9] });
    same([storage.head(), storage.lastDocument()], [4, 9]);
    storage.commit({ documents: [page(10, "a.b.c", 1, "0-7")], rows: [row(5, 10)] });
    same([storage.head(), storage.lastDocument()], [5, 10]);
    storage.commit({ clear: true });
    same([storage.head(), storage.lastDocument()], [0, 0]);
  });

  add("ROWS-20", "a name that goes may be taken in the same commit, by another number", (storage) => {
    storage.commit(threePages());
    storage.commit({
      dropDocuments: [1],
      documents: [page(4, "a.b.c", 8, "0-7")],
      rows: [row(5, 4)],
      clocks: [clock(4, 7, 2)],
    });
    same(storage.documentNamed("lane/a.b.c/0-7"), page(4, "a.b.c", 8, "0-7"));
    same([[...storage.rowsOf(1)], [...storage.rowsOf(4)]], [[], [row(5, 4)]]);
    same([storage.clock(1, 7), storage.clock(4, 7)?.clock], [undefined, 2]);
    throws(() => storage.commit({ dropDocuments: [4], documents: [page(2, "a.b.c", 8, "9-9")] }));
    same(storage.documentNumbered(4)?.name, "lane/a.b.c/0-7");
  });

  add("ROWS-21", "those who wrote longest ago come first, by the newest day of what they have", (storage) => {
    storage.commit({
      documents: [
        { id: 1, name: "shared", day: 1 },
        page(2, "b.b.b", 5, "0-7"),
        page(3, "a.a.a", 4, "0-7"),
        { id: 4, name: "register/b.b.b", writer: "b.b.b", day: 9 },
        page(5, "c.c.c", 4, "0-7"),
      ],
    });
    const [a, b, c] = ["a.a.a", "b.b.b", "c.c.c"].map((writer, at) => ({ writer, day: [4, 9, 4][at] }));
    same([storage.idlestWriters(9), storage.idlestWriters(1)], [[a, c, b], [a]]);
    same(
      storage.documentsOf("b.b.b", 9).map(({ id }) => id),
      [2, 4],
    );
    same(
      storage.documentsOf("b.b.b", 1).map(({ id }) => id),
      [2],
    );
    storage.commit({ days: [{ id: 3, day: 10 }] });
    same(
      [storage.documentNumbered(3)?.day, storage.idlestWriters(9)],
      [10, [c, b, { writer: "a.a.a", day: 10 }]],
    );
    storage.commit({ dropDocuments: [2, 4] });
    same(storage.idlestWriters(9), [c, { writer: "a.a.a", day: 10 }]);
  });

  add(
    "ROWS-23",
    "dropped pages are remembered by their writer's register, in order, once each",
    (storage) => {
      const largest = dropped(1, 999_999_999, 2 ** 32 - 1);
      storage.commit({ droppedPages: [largest, dropped(1, 10, 7), dropped(1, 9, 8), dropped(2, 9, 7)] });
      storage.commit({ droppedPages: [dropped(1, 9, 7), dropped(1, 9, 7), dropped(1, 10, 7)] });
      const pages = [dropped(1, 9, 7), dropped(1, 9, 8), dropped(1, 10, 7), largest].map(({ page }) => page);
      same([...storage.droppedPages(1)], pages);
      same([storage.droppedCount(), storage.droppedCount(1), storage.droppedCount(3)], [5, 4, 0]);
      const asked = [largest, dropped(2, 9, 7), dropped(2, 9, 8), dropped(2, 10, 7), dropped(3, 9, 7)];
      same(
        asked.map((each) => storage.wasDropped(each)),
        [true, true, false, false, false],
      );
    },
  );

  add("ROWS-24", "they go with their register or the room, and with no other document", (storage) => {
    storage.commit({
      ...threePages(),
      droppedPages: [dropped(1, 0, 7), dropped(2, 0, 7), dropped(3, 0, 7)],
    });
    storage.commit({ dropDocuments: [2, 9], droppedPages: [dropped(3, 1, 7), dropped(4, 1, 7)] });
    const left = (registers: number[]) =>
      registers.map((register) => [...storage.droppedPages(register)].length);
    same([left([1, 2, 3, 4]), storage.droppedCount()], [[1, 0, 2, 1], 4]);
    same(storage.wasDropped(dropped(2, 0, 7)), false);
    storage.commit({ clear: true, droppedPages: [dropped(1, 5, 7)] });
    same([left([1, 3, 4]), [...storage.droppedPages(1)]], [[1, 0, 0], [{ number: 5, client: 7 }]]);
  });

  return cases;
}

function dropped(register: number, number: number, client: number): StoredDroppedPage {
  return { register, page: { number, client } };
}

/** Three pages of a writer, the first of them written twice. */
function threePages(): StorageCommit {
  return {
    documents: [1, 2, 3].map((id) => page(id, "a.b.c", 7, `${id - 1}-7`)),
    rows: [row(1, 1), row(2, 2), row(3, 3), row(4, 1)],
    clocks: [clock(1, 7, 1), clock(2, 7, 1), clock(2, 8, 1)],
    places: [place(7, 0, 1, 1), { ...place(7, 0, 1, 1), document: 2 }, { ...place(8, 0, 1, 1), document: 2 }],
  };
}

function page(id: number, writer: string, day: number, name: string): StoredDocument {
  return { id, name: `lane/${writer}/${name}`, writer, day };
}

function shared(id: number, name: string): StoredDocument {
  return { id, name: `shared/${name}`, day: 0 };
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
