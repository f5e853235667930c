import type { RoomStorage, StoredRow } from "../edge/index.ts";
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

  add("ROWS-1", "an empty storage has no settings, documents, rows, clocks or depths", (storage) => {
    same(storage.setting("epoch"), undefined);
    same(storage.documentNamed("shared"), undefined);
    same(storage.documentNumbered(1), undefined);
    same([storage.lastDocument(), storage.head()], [0, 0]);
    same([...storage.rowsAfter(0)], []);
    same([...storage.rowsOf(1)], []);
    same(storage.clock(1, 1), 0);
    same([...storage.clocks(1)], []);
    same(storage.depthAt(1, 1, 9), undefined);
  });

  add("ROWS-2", "what a commit wrote is read back", (storage) => {
    storage.commit({
      settings: { epoch: "e1", presences: "65" },
      documents: [
        { id: 1, name: "shared" },
        { id: 2, name: "lane/anon.a.b/0-7" },
      ],
      rows: [row(1, 1, 10), row(2, 2, 20)],
      clocks: [{ document: 1, client: 2 ** 32 - 1, clock: 2 ** 31 }],
      depths: [{ document: 1, client: 5, from: 3, to: 6, depth: 2 }],
    });
    same([storage.setting("epoch"), storage.setting("presences")], ["e1", "65"]);
    same(storage.documentNamed("shared"), { id: 1, name: "shared" });
    same(storage.documentNumbered(2), { id: 2, name: "lane/anon.a.b/0-7" });
    same([storage.lastDocument(), storage.head()], [2, 2]);
    same([...storage.rowsAfter(0)], [row(1, 1, 10), row(2, 2, 20)]);
    same(storage.clock(1, 2 ** 32 - 1), 2 ** 31);
    same(storage.depthAt(1, 5, 4), { document: 1, client: 5, from: 3, to: 6, depth: 2 });
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

  add("ROWS-4", "a setting, a clock and a run of depths are replaced by the next of their key", (storage) => {
    for (const value of [1, 2]) {
      storage.commit({
        settings: { epoch: `e${value}` },
        clocks: [{ document: 1, client: 7, clock: value }],
        depths: [{ document: 1, client: 7, from: 0, to: value, depth: 1 }],
      });
    }
    same(storage.setting("epoch"), "e2");
    same([...storage.clocks(1)], [[7, 2]]);
    same(storage.depthAt(1, 7, 0)?.to, 2);
  });

  add("ROWS-5", "the depth at a clock is that of the run that begins last before it", (storage) => {
    const runs = [
      { document: 1, client: 7, from: 0, to: 2, depth: 1 },
      { document: 1, client: 7, from: 5, to: 9, depth: 3 },
      { document: 1, client: 8, from: 6, to: 7, depth: 4 },
    ];
    storage.commit({ depths: runs });
    same(storage.depthAt(1, 7, 4), runs[0]);
    same(storage.depthAt(1, 7, 5), runs[1]);
    same(storage.depthAt(1, 7, 100), runs[1]);
    same(storage.depthAt(1, 8, 5), undefined);
    same(storage.depthAt(2, 7, 5), undefined);
  });

  add("ROWS-6", "documents and clients keep their clocks apart", (storage) => {
    storage.commit({
      clocks: [
        { document: 1, client: 7, clock: 1 },
        { document: 1, client: 8, clock: 2 },
        { document: 2, client: 7, clock: 3 },
      ],
    });
    same([...storage.clocks(1)].sort(), [
      [7, 1],
      [8, 2],
    ]);
    same([storage.clock(2, 7), storage.clock(2, 8)], [3, 0]);
  });

  for (const [what, clash] of [
    ["a row's sequence", { rows: [row(1, 1)] }],
    ["a document's number", { documents: [{ id: 1, name: "shared/other" }] }],
    ["a document's name", { documents: [{ id: 9, name: "shared" }] }],
  ] as const) {
    add("ROWS-7", `a commit that takes ${what} twice throws, and writes nothing`, (storage) => {
      storage.commit({ documents: [{ id: 1, name: "shared" }], rows: [row(1, 1)] });
      throws(() =>
        storage.commit({
          settings: { epoch: "half" },
          clocks: [{ document: 1, client: 7, clock: 5 }],
          depths: [{ document: 1, client: 7, from: 0, to: 5, depth: 1 }],
          ...clash,
        }),
      );
      same(storage.setting("epoch"), undefined);
      same([storage.lastDocument(), storage.head(), storage.clock(1, 7)], [1, 1, 0]);
      same(storage.depthAt(1, 7, 0), undefined);
    });
  }

  add("ROWS-8", "a row of 1 MiB is kept whole, and apart from the writer's memory", (storage) => {
    const parts = new Uint8Array(1024 * 1024).fill(7);
    const window = parts.subarray(1);
    storage.commit({ rows: [{ sequence: 1, document: 1, parts: window }] });
    parts.fill(0);
    const [stored] = storage.rowsAfter(0);
    same([stored?.parts.length, stored?.parts.every((byte) => byte === 7)], [parts.length - 1, true]);
  });

  return cases;
}

function row(sequence: number, document: number, fill = sequence): StoredRow {
  return { sequence, document, parts: new Uint8Array([fill, fill]) };
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
