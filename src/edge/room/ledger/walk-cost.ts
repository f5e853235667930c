import * as Y from "yjs";

/** The items by which Yjs finds the place of another. */
type Neighbours = Pick<Y.Item, "origin" | "rightOrigin" | "parentSub"> & { parent: unknown };

/** Whether another goes before this item, which was put at the very same place. */
function isStop(at: Y.Item, { id, origin, rightOrigin }: Y.Item): boolean {
  return (
    at.id.client >= id.client && Y.compareIDs(at.rightOrigin, rightOrigin) && Y.compareIDs(at.origin, origin)
  );
}

/**
 * How many items of a document Yjs passes to place those of an update, counted no further than just past `most`. New
 * items pass each other as well, which the gate's limit on structs bounds.
 */
export function walkCost(document: Y.Doc, update: Uint8Array, most: number): number {
  const { structs } = Y.decodeUpdate(update);
  const { store } = document;
  const ends = new Map<Y.Item, Y.Item | undefined>();
  const sources = new Map<Y.Item, Neighbours>();
  let cost = 0;

  const isKnown = ({ client, clock }: Y.ID): boolean => clock < Y.getState(store, client);

  function known(id: Y.ID | null): Y.Item | undefined {
    const struct = id && isKnown(id) ? Y.getItem(store, id) : undefined;
    return struct instanceof Y.Item ? struct : undefined;
  }

  const added = new Map<number, Y.Item[]>();
  for (const struct of structs) {
    if (!(struct instanceof Y.Item)) continue;
    const own = added.get(struct.id.client);
    if (own) own.push(struct);
    else added.set(struct.id.client, [struct]);
  }

  /** The new item that covers an id. */
  function addedAt({ client, clock }: Y.ID): Y.Item | undefined {
    const own = added.get(client) ?? [];
    let [low, high] = [0, own.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((own[middle]?.id.clock ?? 0) <= clock) low = middle;
      else high = middle - 1;
    }
    return own[low];
  }

  /** Follows right origins through new items: to the first that is known, and what the last of the new ones says. */
  function resolve(item: Y.Item): void {
    const path = new Set<Y.Item>();
    let at: Y.Item | undefined = item;
    let last = item;
    for (; at && !sources.has(at) && !path.has(at); at = next(at)) {
      path.add(at);
      last = at;
    }
    const end = at ? ends.get(at) : known(last.rightOrigin);
    const source = (at && sources.get(at)) ?? last;
    for (const each of path) {
      ends.set(each, end);
      sources.set(each, source);
    }
  }

  function next({ rightOrigin }: Y.Item): Y.Item | undefined {
    return rightOrigin && !isKnown(rightOrigin) ? addedAt(rightOrigin) : undefined;
  }

  function firstOf({ parent, parentSub }: Neighbours): Y.Item | null {
    const holder = parent instanceof Y.ID ? known(parent)?.content : undefined;
    const named = typeof parent === "string" ? document.share.get(parent) : parent;
    const type = holder instanceof Y.ContentType ? holder.type : named;
    if (!(type instanceof Y.AbstractType)) return null;
    if (parentSub === null) return type._start;
    let first = type._map.get(parentSub) ?? null;
    while (first?.left) first = first.left;
    return first;
  }

  for (const own of added.values()) {
    for (const each of own) {
      // Behind an item that is new there are new ones only.
      if (each.origin && !isKnown(each.origin)) continue;
      resolve(each);
      const end = ends.get(each);
      const left = known(each.origin);
      // It lies within an item.
      if (left && left === end) continue;
      let at = left ? left.right : firstOf(end ?? (sources.get(each) as Neighbours));
      for (; at && at !== end && !isStop(at, each); at = at.right) if (++cost > most) return cost;
    }
  }
  return cost;
}
