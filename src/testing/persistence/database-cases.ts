import type { Persistence, StoredValue } from "../../crdt/index.ts";
import type { AddCase } from "./backend.ts";
import { check, rejects, same } from "./checks.ts";

const mebibyte = 1_048_576;
const manyKeys = 10_000;

/** What one handle on a database of keys and values promises. */
export function addDatabaseCases(add: AddCase): void {
  add(
    "STORE-10",
    "what was written is read, also by whoever opens the database next",
    async ({ persistence }) => {
      const store = await persistence.open("room/a");
      const values: [string, StoredValue][] = [
        ["bytes", new Uint8Array([0, 255])],
        ["record", { list: [1, "two", null], nested: { yes: true } }],
        ["text", ""],
        ["nothing", null],
      ];
      await store.write({ put: values });
      for (const [key, value] of values) same(await store.get(key), value, key);
      same(await store.get("unknown"), undefined, "an unknown key");
      await store.close();
      const again = await persistence.open("room/a");
      for (const [key, value] of values) same(await again.get(key), value, `${key} after opening again`);
      await again.close();
    },
  );

  add("STORE-10", "databases are apart from each other", async ({ persistence }) => {
    const [a, b] = [await persistence.open("room/a"), await persistence.open("room/ab")];
    await a.write({ put: [["key", 1]] });
    same(await b.get("key"), undefined, "the other database");
    await Promise.all([a.close(), b.close()]);
  });

  add("STORE-11", "entries of a prefix come in the order of their keys", async ({ persistence }) => {
    const store = await persistence.open("room/a");
    const keys = [
      "page/1-2/000010",
      "page/1-2/000002",
      "page",
      "page/",
      "pagf",
      "page/é",
      "page/Z",
      "update/x",
    ];
    await store.write({ put: keys.map((key) => [key, key] as const) });
    const found = (await store.entries("page/")).map(([key]) => key);
    same(found, ["page/", "page/1-2/000002", "page/1-2/000010", "page/Z", "page/é"], "the keys");
    same((await store.entries("")).length, keys.length, "the empty prefix");
    same(await store.entries("none"), [], "a prefix that nothing has");
    await store.close();
  });

  add("STORE-12", "a change removes first, then puts, and is whole", async ({ persistence }) => {
    const store = await persistence.open("room/a");
    await store.write({ put: [["old", 1] as const, ["both", 1] as const] });
    await store.write({
      put: [["both", 2] as const, ["new", 3] as const],
      remove: ["old", "both", "unknown"],
    });
    const pairs = (await store.entries("")).map(([key, value]) => `${key} ${String(value)}`);
    same(pairs, ["both 2", "new 3"], "the pairs");
    await store.write({});
    await store.close();
  });

  add("STORE-12", "writes apply in the order of the calls", async ({ persistence }) => {
    const store = await persistence.open("room/a");
    await Promise.all([1, 2, 3, 4].map((value) => store.write({ put: [["key", value]] })));
    same(await store.get("key"), 4, "the value");
    await store.close();
  });

  add("STORE-13", "a closed database refuses with a code; closing twice is safe", async ({ persistence }) => {
    const store = await persistence.open("room/a");
    await store.close();
    await store.close();
    for (const call of [
      () => store.get("a"),
      () => store.entries(""),
      () => store.write({ put: [["a", 1]] }),
    ]) {
      await rejects(call, ["closed"]);
    }
  });

  add("STORE-14", "a lock has one holder, until it is released", async ({ persistence }) => {
    const release = await persistence.tryLock("writer/a");
    check(release !== undefined, "the first gets it");
    check((await persistence.tryLock("writer/a")) === undefined, "the second does not");
    const other = await persistence.tryLock("writer/b");
    check(other !== undefined, "another name is another lock");
    release?.();
    release?.();
    const again = await acquired(persistence, "writer/a");
    check((await persistence.tryLock("writer/a")) === undefined, "it is held again");
    again();
    other?.();
  });

  add("STORE-11", "a prefix is taken literally, whatever its characters", async ({ persistence }) => {
    const store = await persistence.open("room/a");
    const prefixes = [
      "a%",
      "a_",
      "a*",
      "a?",
      "a[b]",
      "a\\",
      "a'",
      'a"',
      "a ",
      "ä/",
      "𝄞/",
      "a\uffff",
      "a\u0001",
    ];
    const keys = prefixes.flatMap((prefix) => [
      prefix,
      `${prefix}x`,
      `${prefix}\uffff`,
      `${prefix}\uffff\uffff`,
    ]);
    await store.write({ put: ["ab", "aX", "a", "a^"].map((key) => [key, 0] as const) });
    await store.write({ put: keys.map((key) => [key, key] as const) });
    for (const prefix of prefixes) {
      const expected = keys.filter((key) => key.startsWith(prefix)).sort(inOrder);
      same(
        (await store.entries(prefix)).map(([key]) => key),
        expected,
        `the keys of ${JSON.stringify(prefix)}`,
      );
    }
    for (const key of keys) same(await store.get(key), key, "the value of an odd key");
    await store.write({ remove: keys });
    same((await store.entries("")).length, 4, "the keys that are left");
    await store.close();
  });

  add("STORE-12", "a change that cannot be stored leaves nothing behind", async ({ persistence }) => {
    const store = await persistence.open("room/a");
    await store.write({ put: [["old", 1]] });
    const impossible = (() => 1) as unknown as StoredValue;
    await rejects(() =>
      store.write({ put: [["first", 1] as const, ["second", impossible] as const], remove: ["old"] }),
    );
    same(await store.entries(""), [["old", 1]], "the pairs");
    await store.write({ put: [["new", 2]] });
    same(await store.get("new"), 2, "the next write");
    await store.close();
  });

  add("STORE-21", "what was put is a copy", async ({ persistence }) => {
    const store = await persistence.open("room/a");
    const bytes = new Uint8Array([1, 2, 3]);
    const writing = store.write({ put: [["bytes", bytes]] });
    await writing;
    bytes[0] = 9;
    same(await store.get("bytes"), new Uint8Array([1, 2, 3]), "the bytes");
    await store.close();
  });

  add("STORE-22", "a value of a mebibyte is read as it was written", async ({ persistence }) => {
    const store = await persistence.open("room/a");
    const big = Uint8Array.from({ length: mebibyte }, (_, index) => (index * 31) & 255);
    const text = "é".repeat(mebibyte / 2);
    await store.write({ put: [["bytes", big] as const, ["text", text] as const] });
    await store.close();
    const again = await persistence.open("room/a");
    same(await again.get("bytes"), big, "the bytes");
    check((await again.get("text")) === text, "the text is as long as it was");
    await again.close();
  });

  add(
    "STORE-22",
    "ten thousand keys are written in one change, listed in order and removed",
    async ({ persistence }) => {
      const store = await persistence.open("room/a");
      const keys = Array.from({ length: manyKeys }, (_, index) => `page/${String(index).padStart(6, "0")}`);
      await store.write({ put: keys.toReversed().map((key, index) => [key, index] as const) });
      const listed = await store.entries("page/");
      same(listed.length, manyKeys, "how many are listed");
      check(
        listed.every(([key], index) => key === keys[index]),
        "the keys are in order",
      );
      same((await store.entries("page/0099")).length, 100, "the keys of a narrow prefix");
      await store.write({ remove: keys.slice(1) });
      same(
        (await store.entries("")).map(([key]) => key),
        keys.slice(0, 1),
        "what is left",
      );
      await store.close();
    },
  );
}

/** As JavaScript compares strings, which is how IndexedDB orders its keys. */
function inOrder(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}

/** A released lock is free within a few turns: Web Locks release in a task of their own. */
export async function acquired(persistence: Persistence, name: string): Promise<() => void> {
  for (let turn = 0; turn < 100; turn++) {
    const release = await persistence.tryLock(name);
    if (release) return release;
  }
  throw new Error("The contract is broken: a released lock is not free.");
}
