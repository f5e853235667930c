import * as Y from "yjs";
import { placeOfItem } from "./contexts.ts";
import type { Random } from "./random.ts";

/** Somebody who edits a shared document in every way that the gate allows. */
export interface Editor {
  doc: Y.Doc;
  /** Makes one edit, or undoes or redoes one. */
  edit(random: Random): void;
}

/** The kinds of shared type that the gate allows. */
type SharedType = Y.Text | Y.Array<unknown> | Y.Map<unknown>;

/** Marks what came from elsewhere, as a provider does. */
export const remote = Symbol("remote");

const words = ["a", "word", "häuser", "😀", "👩‍👩‍👧", "漢字", "", "\u0000", "constructor", "x".repeat(130)];
const values = [
  null,
  true,
  0,
  -7,
  2 ** 40,
  1.5,
  "text",
  "😀",
  [1, [2, { three: [] }]],
  { a: { b: null } },
  { big: 12n },
];
const attributes = [{ bold: true }, { bold: null }, { link: { href: "http://example.org" } }, { size: 1.25 }];
const deepest = 4;

/** Creates an editor with a document of three root types: text "t", array "a", map "m". */
export function createEditor(clientID: number): Editor {
  const doc = new Y.Doc();
  doc.clientID = clientID;
  const roots: SharedType[] = [doc.getText("t"), doc.getArray("a"), doc.getMap("m")];
  const undo = new Y.UndoManager(roots, { captureTimeout: 0 });
  return {
    doc,
    edit(random) {
      const what = random.below(12);
      if (what === 0) undo.undo();
      else if (what === 1) undo.redo();
      else if (what > 9) {
        doc.transact(() => {
          for (let count = random.below(6); count >= 0; count--) editType(random, chooseType(random, roots));
        });
      } else editType(random, chooseType(random, roots));
    },
  };
}

/** Walks down from a root, at each nested type perhaps further. */
function chooseType(random: Random, roots: readonly SharedType[]): SharedType {
  let chosen = random.pick(roots);
  for (;;) {
    const inner = [...chosen._map.values(), ...listOf(chosen)]
      .filter((item) => !item.deleted && item.content instanceof Y.ContentType)
      .map((item) => (item.content as Y.ContentType).type as SharedType);
    if (inner.length === 0 || random.chance(0.35)) return chosen;
    chosen = random.pick(inner);
  }
}

function listOf(type: SharedType): Y.Item[] {
  const items: Y.Item[] = [];
  for (let item = type._start; item !== null; item = item.right) items.push(item);
  return items;
}

function editType(random: Random, type: SharedType): void {
  if (type instanceof Y.Text) editText(random, type);
  else if (type instanceof Y.Array) editArray(random, type);
  else editMap(random, type);
}

function editText(random: Random, text: Y.Text): void {
  const at = random.below(text.length + 1);
  const length = random.below(Math.min(6, text.length - at + 1));
  const what = random.below(6);
  if (what < 2) text.insert(at, random.pick(words), random.chance(0.4) ? random.pick(attributes) : undefined);
  else if (what === 2) text.delete(at, length);
  else if (what === 3) text.format(at, length, random.pick(attributes));
  else if (what === 4)
    text.insertEmbed(at, random.chance(0.3) ? newType(random, text) : { image: "x", n: [1] });
  else text.insert(text.length, random.pick(words));
}

function editArray(random: Random, array: Y.Array<unknown>): void {
  const at = random.below(array.length + 1);
  if (random.chance(0.3)) array.delete(at, random.below(Math.min(4, array.length - at + 1)));
  else
    array.insert(
      at,
      Array.from({ length: 1 + random.below(3) }, () => newValue(random, array)),
    );
}

function editMap(random: Random, map: Y.Map<unknown>): void {
  const key = random.pick(["k", "l", "constructor", ""]);
  if (random.chance(0.2)) map.delete(key);
  else map.set(key, newValue(random, map));
}

function newValue(random: Random, within: SharedType): unknown {
  const what = random.below(8);
  if (what === 0) return Uint8Array.of(1, 2, 3);
  return what > 2 ? random.pick(values) : newType(random, within);
}

/** A type where one more level is allowed, else an object. */
function newType(random: Random, within: SharedType): object {
  const depth = within._item ? (placeOfItem(within._item)?.depth ?? 0) + 1 : 0;
  if (depth >= deepest) return { too: "deep" };
  return random.pick([() => new Y.Map(), () => new Y.Array(), () => new Y.Text("t😀")])();
}
