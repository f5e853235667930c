import * as Y from "yjs";

/** A list or a map, as far as places go. */
type Container = Pick<Y.AbstractType<unknown>, "_start" | "_map">;
type Struct = ReturnType<typeof Y.decodeUpdate>["structs"][number];

/** The items of an update against a document that does not have them yet: where Yjs would look for their places. */
export interface UpdateItems {
  readonly structs: readonly Struct[];
  /** Whether the document has it, be it as an item or collected. */
  isKnown(id: Y.ID): boolean;
  /** The document's item of an id; undefined where it is new or collected. */
  known(id: Y.ID | null): Y.Item | undefined;
  /** The update's item of an id that the document does not have. */
  added(id: Y.ID | null): Y.Item | undefined;
  /** The item whose place says in which list another lies: a known one, or a new one that names its parent. */
  baseOf(item: Y.Item): Y.Item;
  /** The type that a new item names as its parent; undefined where that is new as well, or collected. */
  parentOf(item: Y.Item): Container | undefined;
  /** The first known item at or after the right origin, through items that are new. */
  rightEnd(item: Y.Item): Y.Item | undefined;
  /** Where the way of an item without origin begins: the first of its list, or of its key; null where that is new. */
  startOf(item: Y.Item): Y.Item | null;
}

/** Reads an update that the gate let through: its references go in no circle. */
export function readUpdateItems(document: Y.Doc, update: Uint8Array): UpdateItems {
  const { structs } = Y.decodeUpdate(update);
  const { store } = document;
  const byClient = groupByClient(structs);
  const bases = new Map<Y.Item, Y.Item>();
  const ends = new Map<Y.Item, Y.Item>();

  function isKnown({ client, clock }: Y.ID): boolean {
    return clock < Y.getState(store, client);
  }

  function known(id: Y.ID | null): Y.Item | undefined {
    const struct = id && isKnown(id) ? Y.getItem(store, id) : undefined;
    return struct instanceof Y.Item ? struct : undefined;
  }

  function added(id: Y.ID | null): Y.Item | undefined {
    const struct = id && !isKnown(id) ? structAt(byClient.get(id.client), id.clock) : undefined;
    return struct instanceof Y.Item ? struct : undefined;
  }

  /** Goes from an item along one kind of origin, through items that are new, as far as it leads; each step is taken once. */
  function follow(item: Y.Item, next: (at: Y.Item) => Y.ID | null, seen: Map<Y.Item, Y.Item>): Y.Item {
    // Origins of a forged update may lead round in a circle.
    const path = new Set<Y.Item>();
    let at = item;
    for (let to = added(next(at)); to && !seen.has(at) && !path.has(at); to = added(next(at))) {
      path.add(at);
      at = to;
    }
    const end = seen.get(at) ?? at;
    for (const each of path) seen.set(each, end);
    return end;
  }

  function baseOf(item: Y.Item): Y.Item {
    const last = follow(item, ({ origin, rightOrigin }) => origin ?? rightOrigin, bases);
    return known(last.origin ?? last.rightOrigin) ?? last;
  }

  function parentOf(item: Y.Item): Container | undefined {
    const { parent } = item as { parent: unknown };
    if (parent instanceof Y.AbstractType) return parent;
    if (typeof parent === "string") return document.share.get(parent);
    const holder = parent instanceof Y.ID ? known(parent) : undefined;
    return holder?.content instanceof Y.ContentType ? holder.content.type : undefined;
  }

  return {
    structs,
    isKnown,
    known,
    added,
    baseOf,
    parentOf,
    rightEnd: (item) => known(follow(item, ({ rightOrigin }) => rightOrigin, ends).rightOrigin),
    startOf(item) {
      const base = baseOf(item);
      const list = parentOf(base);
      if (!list) return null;
      if (base.parentSub === null) return list._start;
      let first = list._map.get(base.parentSub) ?? null;
      while (first?.left) first = first.left;
      return first;
    },
  };
}

function groupByClient(structs: readonly Struct[]): Map<number, Struct[]> {
  const groups = new Map<number, Struct[]>();
  for (const struct of structs) {
    const group = groups.get(struct.id.client);
    if (group) group.push(struct);
    else groups.set(struct.id.client, [struct]);
  }
  return groups;
}

/** The struct of a client's, in order, that covers a clock. */
function structAt(structs: readonly Struct[] | undefined, clock: number): Struct | undefined {
  let low = 0;
  let high = (structs?.length ?? 0) - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((structs?.[middle]?.id.clock ?? 0) <= clock) low = middle;
    else high = middle - 1;
  }
  return structs?.[low];
}
