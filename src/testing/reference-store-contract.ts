import { type ErrorCode, equalBytes, isFlockError, randomId, sha256Hex, toUtf8 } from "../base/index.ts";
import type { LocalReferenceStore, Reference, ReferenceStore } from "../refstore/index.ts";

/** One promise of a port, as a test that any runner can run: it rejects where the promise is broken. */
export interface ContractCase {
  /** The rule in `docs/spec.md`. */
  readonly id: string;
  readonly title: string;
  run(): Promise<void>;
}

/** The cap of one reference, as the port promises it. */
const capBytes = 32 * 1024 * 1024;
const unknownId = "0123456789abcdef".repeat(4);

/**
 * What every reference store promises. `open` gives a store that the case closes; stores may share their contents,
 * since no two cases use the same bytes.
 *
 * @example
 * ```ts
 * for (const { id, title, run } of referenceStoreContract(async () => createInMemoryStore())) test(`${id}: ${title}`, run);
 * ```
 */
export function referenceStoreContract(open: () => Promise<ReferenceStore>): ContractCase[] {
  const contract = createContract(open);

  contract.add("REF-1", "a put names the bytes by SHA-256, size and content type", async (store) => {
    const bytes = uniqueBytes();
    const plain = await store.put(bytes);
    sameReference(plain, await expectedReference(bytes, "application/octet-stream"));
    const typed = uniqueBytes();
    const contentType = "text/csv; charset=utf-8";
    sameReference(await store.put(typed, { contentType }), await expectedReference(typed, contentType));
  });

  contract.add("REF-1", "what was put is read back, by reference and by id", async (store) => {
    for (const bytes of [uniqueBytes(), uniqueBytes(1), everyByte()]) {
      const reference = await store.put(bytes);
      sameBytes(await store.get(reference), bytes, "by reference");
      sameBytes(await store.get(reference.id), bytes, "by id");
    }
  });

  contract.add("REF-1", "no bytes are bytes too", async (store) => {
    const reference = await store.put(new Uint8Array());
    check(reference.size === 0, "the size is 0");
    sameBytes(await store.get(reference), new Uint8Array(), "nothing");
    check(await store.has(reference.id), "it is there");
  });

  contract.add("REF-1", "a window into a larger buffer is stored alone", async (store) => {
    const whole = uniqueBytes(300);
    const window = whole.subarray(17, 217);
    const reference = await store.put(window);
    check(reference.size === 200, "the size is the window's");
    sameBytes(await store.get(reference), window, "the window");
  });

  contract.add("REF-2", "the same bytes have one id, whatever their content type", async (store) => {
    const bytes = uniqueBytes();
    const first = await store.put(bytes, { contentType: "text/plain" });
    const second = await store.put(bytes.slice(), { contentType: "text/html" });
    check(first.id === second.id, "one id");
    sameBytes(await store.get(second), bytes, "after the second put");
    check(await store.delete(first.id), "one delete removes it");
    check(!(await store.has(first.id)), "and nothing is left");
  });

  contract.add("REF-2", "puts at once neither mix nor lose bytes", async (store) => {
    const all = Array.from({ length: 12 }, (_, index) => uniqueBytes(index * 37 + 1));
    const twice = [...all, ...all];
    const references = await Promise.all(twice.map((bytes) => store.put(bytes)));
    const read = await Promise.all(references.map((reference) => store.get(reference)));
    read.forEach((bytes, index) => {
      sameBytes(bytes, twice[index] ?? new Uint8Array(), `put ${index}`);
    });
  });

  contract.add("REF-3", "the caller's array and the store's never share memory", async (store) => {
    const bytes = uniqueBytes();
    const before = bytes.slice();
    const putting = store.put(bytes);
    bytes.fill(0);
    const reference = await putting;
    check(reference.id === (await sha256Hex(before)), "the id is that of the bytes at the call");
    const read = await store.get(reference);
    sameBytes(read, before, "after the caller overwrote its array");
    read.fill(0);
    sameBytes(await store.get(reference), before, "after a reader overwrote its copy");
  });

  contract.add("REF-4", "what is not there is refstore/not-found", async (store) => {
    await rejects("refstore/not-found", () => store.get(unknownId));
    await rejects("refstore/not-found", () =>
      store.get({ id: unknownId, size: 3, contentType: "text/plain" }),
    );
    check(!(await store.has(unknownId)), "has says no");
    check(!(await store.delete(unknownId)), "delete says no");
  });

  contract.add("REF-4", "what was deleted is gone, and may come back", async (store) => {
    const bytes = uniqueBytes();
    const { id } = await store.put(bytes);
    check(await store.has(id), "it is there");
    check(await store.delete(id), "delete says yes");
    check(!(await store.has(id)), "has says no");
    await rejects("refstore/not-found", () => store.get(id));
    check(!(await store.delete(id)), "a second delete says no");
    await store.put(bytes);
    sameBytes(await store.get(id), bytes, "put again");
  });

  for (const id of ["", "abc", unknownId.toUpperCase(), `${unknownId}0`, `../${unknownId}`, "__proto__"]) {
    contract.add("REF-5", `${JSON.stringify(id)} is refstore/invalid-id`, async (store) => {
      await rejects("refstore/invalid-id", () => store.get(id));
      await rejects("refstore/invalid-id", () => store.get({ id, size: 1, contentType: "text/plain" }));
      await rejects("refstore/invalid-id", () => store.has(id));
      await rejects("refstore/invalid-id", () => store.delete(id));
    });
  }

  for (const contentType of ["", "text", "text/plain\r\nx-evil: 1", `text/${"x".repeat(300)}`]) {
    const title = `content type ${JSON.stringify(contentType.slice(0, 30))} is refstore/invalid-options`;
    contract.add("REF-6", title, async (store) => {
      const bytes = uniqueBytes();
      await rejects("refstore/invalid-options", () => store.put(bytes, { contentType }));
      check(!(await store.has(await sha256Hex(bytes))), "nothing was stored");
    });
  }

  contract.add("REF-7", "one byte past the cap is refstore/too-large", async (store) => {
    await rejects("refstore/too-large", () => store.put(new Uint8Array(capBytes + 1)));
  });

  contract.add(
    "REF-8",
    "an aborted call rejects with the signal's reason and stores nothing",
    async (store) => {
      const reason = new Error("changed my mind");
      const signal = AbortSignal.abort(reason);
      const bytes = uniqueBytes();
      const id = await sha256Hex(bytes);
      const calls = [
        () => store.put(bytes, { signal }),
        () => store.get(id, { signal }),
        () => store.has(id, { signal }),
        () => store.delete(id, { signal }),
      ];
      for (const call of calls) check((await failureOf(call)) === reason, "the reason is passed on");
      check(!(await store.has(id)), "nothing was stored");
    },
  );

  contract.add(
    "REF-9",
    "after close every call is refstore/closed, and closing twice is safe",
    async (store) => {
      const bytes = uniqueBytes();
      const { id } = await store.put(bytes);
      await store.close();
      await store.close();
      for (const call of [
        () => store.put(bytes),
        () => store.get(id),
        () => store.has(id),
        () => store.delete(id),
      ]) {
        await rejects("refstore/closed", call);
      }
    },
  );

  return contract.cases;
}

/** What a store on this device promises beyond `referenceStoreContract`. `open` must give an empty store. */
export function localReferenceStoreContract(open: () => Promise<LocalReferenceStore>): ContractCase[] {
  const contract = createContract(open);

  contract.add("REF-10", "list and stats name each reference once", async (store) => {
    check((await listed(store)).length === 0, "empty at first");
    const contents = Array.from({ length: 300 }, (_, index) => uniqueBytes(index));
    const put: Reference[] = [];
    for (const bytes of contents) put.push(await store.put(bytes, { contentType: "text/plain" }));
    await store.put(contents[7] ?? new Uint8Array());
    const found = await listed(store);
    sameReferences(found, put);
    const stats = await store.stats();
    check(stats.count === 300, `the count is ${stats.count}`);
    check(stats.bytes === (299 * 300) / 2, `the bytes are ${stats.bytes}`);
    await store.delete(put[0]?.id ?? "");
    sameReferences(await listed(store), put.slice(1));
  });

  contract.add("REF-2", "a store keeps the content type of the first put", async (store) => {
    const bytes = uniqueBytes();
    const first = await store.put(bytes, { contentType: "text/plain" });
    const second = await store.put(bytes, { contentType: "text/html" });
    check(second.contentType === "text/html", "a put returns the name its caller asked for");
    sameReferences(await listed(store), [first]);
  });

  contract.add("REF-11", "a pending put is in the ledger until it is struck out", async (store) => {
    const kept = await store.put(uniqueBytes(), { pending: true });
    const struck = await store.put(uniqueBytes(), { pending: true, contentType: "text/plain" });
    await store.put(uniqueBytes());
    sameReferences(await store.uploads.load(), [kept, struck]);
    await store.uploads.remove(struck.id);
    await store.uploads.remove(struck.id);
    await store.uploads.remove(unknownId);
    sameReferences(await store.uploads.load(), [kept]);
    check(await store.has(struck.id), "the bytes stay");
  });

  contract.add("REF-11", "a second put enters the ledger, and never leaves it", async (store) => {
    const bytes = uniqueBytes();
    await store.put(bytes);
    const pending = await store.put(bytes, { pending: true });
    await store.put(bytes);
    sameReferences(await store.uploads.load(), [pending]);
  });

  contract.add("REF-11", "a delete leaves the ledger too", async (store) => {
    const { id } = await store.put(uniqueBytes(), { pending: true });
    await store.delete(id);
    check((await store.uploads.load()).length === 0, "the ledger is empty");
  });

  contract.add("REF-9", "a closed store neither lists nor loads", async (store) => {
    await store.close();
    await rejects("refstore/closed", () => listed(store));
    await rejects("refstore/closed", () => store.stats());
    await rejects("refstore/closed", () => store.uploads.load());
    await rejects("refstore/closed", () => store.uploads.remove(unknownId));
  });

  return contract.cases;
}

function createContract<Store extends ReferenceStore>(open: () => Promise<Store>) {
  const cases: ContractCase[] = [];
  return {
    cases,
    add(id: string, title: string, promise: (store: Store) => Promise<void>): void {
      cases.push({
        id,
        title,
        async run() {
          const store = await open();
          try {
            await promise(store);
          } finally {
            await store.close();
          }
        },
      });
    },
  };
}

/** Bytes that no other case has, where there is room to differ. */
function uniqueBytes(length = 64): Uint8Array {
  const bytes = new Uint8Array(length);
  bytes.set(toUtf8(randomId(undefined, Math.min(length, 32))));
  return bytes;
}

function everyByte(): Uint8Array {
  return Uint8Array.from({ length: 1024 * 1024 }, (_, index) => (index >> 8) ^ index);
}

async function expectedReference(bytes: Uint8Array, contentType: string): Promise<Reference> {
  return { id: await sha256Hex(bytes), size: bytes.length, contentType };
}

async function listed(store: LocalReferenceStore): Promise<Reference[]> {
  const found: Reference[] = [];
  for await (const reference of store.list()) found.push(reference);
  return found;
}

function check(holds: boolean, what: string): void {
  if (!holds) throw new Error(`The contract is broken: ${what}.`);
}

function sameBytes(actual: Uint8Array, expected: Uint8Array, what: string): void {
  check(
    equalBytes(actual, expected),
    `${what}: ${actual.length} bytes differ from ${expected.length} expected`,
  );
}

function describeReference({ id, size, contentType }: Reference): string {
  return `${id} ${size} ${contentType}`;
}

function sameReference(actual: Reference, expected: Reference): void {
  const [is, should] = [describeReference(actual), describeReference(expected)];
  check(is === should, `the reference is ${is}, expected ${should}`);
}

function sameReferences(actual: readonly Reference[], expected: readonly Reference[]): void {
  const [is, should] = [actual, expected].map((all) => all.map(describeReference).sort().join("\n"));
  check(is === should, `the references are\n${is}\nexpected\n${should}`);
}

async function failureOf(call: () => Promise<unknown>): Promise<unknown> {
  try {
    await call();
  } catch (failure) {
    return failure;
  }
  throw new Error("The contract is broken: the call succeeded.");
}

async function rejects(code: ErrorCode, call: () => Promise<unknown>): Promise<void> {
  const failure = await failureOf(call);
  check(isFlockError(failure, code), `the failure is ${String(failure)}, expected ${code}`);
}
