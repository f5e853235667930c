import { describe, expect, test } from "vitest";
import * as Y from "yjs";
import { createGuard } from "../../src/crdt/shared/guard.ts";
import { findMisplaced } from "../../src/crdt/shared/list-order.ts";
import { parseDocumentName, sharedName } from "../../src/protocol/index.ts";
import { buildUpdate, content, type Id, type StructSpec } from "../protocol/gate/build.ts";
import { createEditor, remote } from "../protocol/gate/editing.ts";
import { createRandom, type Random } from "../protocol/gate/random.ts";

const author = 100;
const clients = [10, 200, 50];
const length = 3;
const orders = [
  [0, 1, 2],
  [0, 2, 1],
  [1, 0, 2],
  [1, 2, 0],
  [2, 0, 1],
  [2, 1, 0],
] as const;

/** A list of three items that everybody has. */
const base = buildUpdate([
  {
    client: author,
    clock: 0,
    structs: Array.from({ length }, (_, index) => ({
      ...content.any(index),
      parent: "a",
      origin: index > 0 ? ([author, index - 1] as const) : undefined,
    })),
  },
]);

/** One item beside any two of the list, or its ends: an honest author's are neighbours, and in order. */
function inventItem(random: Random, client: number): Uint8Array {
  const left = random.below(length + 1) - 1;
  const right = random.below(length + 1);
  const idAt = (index: number): Id | undefined =>
    index >= 0 && index < length ? [author, index] : undefined;
  const item: StructSpec = {
    ...content.any(`by ${client}`),
    parent: "a",
    origin: idAt(left),
    right: idAt(right),
  };
  return buildUpdate([{ client, clock: 0, structs: [item] }]);
}

/** What the list becomes in each order of arrival. */
function outcomes(updates: readonly Uint8Array[], isGuarded: boolean): Set<string> {
  const shown = orders.map((order) => {
    const doc = new Y.Doc();
    const guard = createGuard(parseDocumentName(sharedName()), doc);
    Y.applyUpdate(doc, base);
    for (const index of order) {
      const update = updates[index] as Uint8Array;
      if (!isGuarded || guard(update).result === "applied") Y.applyUpdate(doc, update);
    }
    return JSON.stringify(doc.getArray("a"));
  });
  return new Set(shown);
}

function countForks(isGuarded: boolean, invent = inventItem): number {
  let forks = 0;
  for (let seed = 0; seed < 1_000; seed++) {
    const random = createRandom(seed);
    const updates = clients.map((client) => invent(random, client));
    if (outcomes(updates, isGuarded).size > 1) forks++;
  }
  return forks;
}

/** Items of one author that rest on one another: only a trial tells where they lie. */
function inventItems(random: Random, client: number): Uint8Array {
  const count = 1 + random.below(3);
  const idAt = (index: number): Id | undefined =>
    index < 0 || index >= length + count
      ? undefined
      : index < length
        ? [author, index]
        : [client, index - length];
  const structs = Array.from({ length: count }, (_, clock): StructSpec => {
    const among = length + clock;
    const [left, right] = [random.below(among + 1) - 1, random.below(among + 1)];
    return {
      ...content.any(`${clock} by ${client}`),
      parent: "a",
      origin: idAt(left),
      right: right < among ? idAt(right) : undefined,
    };
  });
  return buildUpdate([{ client, clock: 0, structs }]);
}

describe("an item whose origin does not lie before its right origin", () => {
  test("THREAT-10 in clients: what passes ends equal in every order of arrival", () => {
    expect(countForks(true)).toBe(0);
  });

  test("THREAT-10 in clients: also where items rest on one another, in one update", () => {
    expect(countForks(false, inventItems)).toBeGreaterThan(0);
    expect(countForks(true, inventItems)).toBe(0);
  });

  test("THREAT-10 in clients: what editors write and undo passes, as it comes, merged, and from the beginning", () => {
    for (let seed = 0; seed < 200; seed++) {
      const random = createRandom(seed);
      const editors = [7, 300].map((client) => ({ ...createEditor(client), mirror: new Y.Doc() }));
      const take = (update: Uint8Array, into: Y.Doc): void => {
        expect([seed, findMisplaced(into, update)]).toEqual([seed, undefined]);
        Y.applyUpdate(into, update, remote);
      };
      for (const { doc, mirror } of editors) doc.on("update", (update: Uint8Array) => take(update, mirror));
      for (let step = 0; step < 60; step++) {
        const [one, other] = [random.pick(editors), random.pick(editors)];
        one.edit(random);
        if (random.chance(0.15))
          take(Y.encodeStateAsUpdate(one.doc, Y.encodeStateVector(other.doc)), other.doc);
      }
      for (const { doc } of editors) take(Y.encodeStateAsUpdate(doc), new Y.Doc());
    }
  });

  test("THREAT-10 in clients: what an undo of Yjs misplaces in a list that it makes anew passes, and nothing else", () => {
    const list: StructSpec = { ...content.type(0), parent: "a" };
    const items: StructSpec[] = [
      { ...content.any(1), parent: [5, 0] },
      { ...content.any(2), right: [5, 1] },
      { ...content.any(3), origin: [5, 2], right: [5, 2] },
    ];
    const doc = new Y.Doc();
    expect(
      findMisplaced(doc, buildUpdate([{ client: 5, clock: 0, structs: [list, ...items] }])),
    ).toBeUndefined();
    Y.applyUpdate(doc, buildUpdate([{ client: 5, clock: 0, structs: [list] }]));
    expect(findMisplaced(doc, buildUpdate([{ client: 5, clock: 1, structs: items }]))).toMatchObject({
      client: 5,
    });
  });

  test("THREAT-8 in clients: what would hold Yjs up for seconds in a long list is refused", () => {
    const doc = new Y.Doc();
    doc.clientID = author;
    for (let index = 0; index < 10_000; index++) doc.getArray("a").insert(0, [index]);
    const far = Array.from(
      { length: 1_000 },
      (_, at): StructSpec => ({ ...content.any(at), right: [author, at] }),
    );
    const update = buildUpdate([{ client: 5, clock: 0, structs: far }]);
    expect(findMisplaced(doc, update)).toMatchObject({ client: 5 });
    const near = Array.from(
      { length: 1_000 },
      (_, at): StructSpec => ({ ...content.any(at), right: [author, 9_000 + (at % 999)] }),
    );
    expect(findMisplaced(doc, buildUpdate([{ client: 5, clock: 0, structs: near }]))).toBeUndefined();
  });

  test("SHARED-14: what passes the whole list to reach items of its own is refused as well", () => {
    const doc = new Y.Doc();
    doc.clientID = author;
    for (let index = 0; index < 20_000; index++) doc.getArray("a").insert(0, [index]);
    const count = 400;
    // Embeds do not merge: each of them lies at the end, and is the right origin of an item at the start.
    const last: StructSpec = { ...content.embed("0"), origin: [author, 0] };
    const structs = [
      ...Array.from({ length: count }, () => last),
      ...Array.from({ length: count }, (_, at): StructSpec => ({ ...content.embed("0"), right: [5, at] })),
    ];
    expect(findMisplaced(doc, buildUpdate([{ client: 5, clock: 0, structs }]))).toMatchObject({ client: 5 });
    expect(
      findMisplaced(doc, buildUpdate([{ client: 5, clock: 0, structs: structs.slice(0, count) }])),
    ).toBeUndefined();
  });

  test("THREAT-10 control: without the guard replicas fork", () => {
    expect(countForks(false)).toBeGreaterThan(0);
  });
});
