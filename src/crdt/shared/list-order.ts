import * as Y from "yjs";
import { readUpdateItems } from "../../protocol/index.ts";

/**
 * Items that Yjs may pass while it looks for the places of one update's items, about 0.6 s. Honest items pass those
 * that others put at the same place meanwhile; a thousand crafted ones in a long list would stall every replica.
 */
const maxSteps = 5_000_000;

/** An item of an update that a list cannot take. */
export interface Misplaced {
  client: number;
  why: string;
}

type List = Pick<Y.AbstractType<unknown>, "_start">;

/** Two ids of which the first must lie before the second; where one is new, only integration tells. */
interface Claim {
  client: number;
  left: Y.ID;
  right: Y.ID;
}

/**
 * Finds an item that does not lie between its origins, in one list, left before right: replicas that got it in different
 * orders would differ for good, with equal clocks and deletions. Also finds what would take Yjs too long.
 */
export function findMisplaced(document: Y.Doc, update: Uint8Array): Misplaced | undefined {
  const { store } = document;
  const items = readUpdateItems(document, update);
  const { isKnown, known, added, baseOf, parentOf } = items;
  const claims: Claim[] = [];
  let steps = 0;

  const isCollected = (id: Y.ID | null): boolean => id !== null && isKnown(id) && !known(id);

  /** Whether it lies, with both its origins, in a list that its own client makes in this very update. */
  function isInNewList(item: Y.Item): boolean {
    const { parent } = baseOf(item) as { parent: unknown };
    const { client } = item.id;
    return (
      parent instanceof Y.ID &&
      [parent, item.origin, item.rightOrigin].every((id) => id?.client === client && !isKnown(id))
    );
  }

  /** Why an item of which the document may have the first part cannot be placed. */
  function judge(item: Y.Item): string | undefined {
    const { origin, rightOrigin } = item;
    const { client, clock } = item.id;
    const isCut = clock < Y.getState(store, client);
    if (isCut && isCollected(Y.createID(client, Y.getState(store, client) - 1))) {
      const isAlive = origin || rightOrigin ? (known(origin) ?? known(rightOrigin)) : parentOf(item);
      return isAlive ? "goes on with content that was deleted with its container" : undefined;
    }
    if (isCollected(origin) || isCollected(rightOrigin)) return undefined;
    if (baseOf(item).parentSub !== null) {
      if (rightOrigin) return "lies under a key and has a right origin";
    } else if (origin && rightOrigin && !(isKnown(origin) && isKnown(rightOrigin)) && !isPlain(item)) {
      // An undo of Yjs may itself misplace items in a list that it makes anew, where nobody else can have put any.
      if (!isInNewList(item)) claims.push({ client, left: origin, right: rightOrigin });
    }
    // Behind an item that is new Yjs passes new ones only.
    if (origin && !isKnown(origin)) return undefined;
    return walk(item);
  }

  /** Whether the left origin plainly lies before the right: one was put beside the other. */
  function isPlain({ origin, rightOrigin }: Y.Item): boolean {
    const left = added(origin);
    if (left && equalIds(left.rightOrigin, rightOrigin)) return true;
    const right = added(rightOrigin);
    if (!right || !rightOrigin) return false;
    const before = rightOrigin.clock > right.id.clock;
    return before
      ? equalIds(Y.createID(rightOrigin.client, rightOrigin.clock - 1), origin)
      : equalIds(right.origin, origin);
  }

  /** Walks where Yjs would: from the origin, or the list's start, to the right origin, or the end. */
  function walk(item: Y.Item): string | undefined {
    const left = known(item.origin);
    const end = items.rightEnd(item);
    const mustMeet = item.rightOrigin !== null && isKnown(item.rightOrigin);
    if (left && left === end) {
      const isBefore = !mustMeet || (item.origin as Y.ID).clock < (item.rightOrigin as Y.ID).clock;
      return isBefore ? undefined : "has its right origin before its origin";
    }
    let at = left ? left.right : items.startOf(item);
    while (at && at !== end) {
      if (++steps > maxSteps) return "and others of its update are too far from their places";
      at = at.right;
    }
    return mustMeet && !at ? "has no right origin after its origin" : undefined;
  }

  for (const struct of items.structs) {
    if (!(struct instanceof Y.Item)) continue;
    if (struct.id.clock + struct.length <= Y.getState(store, struct.id.client)) continue;
    const why = judge(struct);
    if (why) return { client: struct.id.client, why };
  }
  return claims.length === 0 ? undefined : tryClaims(document, update, claims);
}

/** Integrates the update into a copy, and looks there. */
function tryClaims(document: Y.Doc, update: Uint8Array, claims: readonly Claim[]): Misplaced | undefined {
  const copy = new Y.Doc();
  Y.applyUpdate(copy, Y.encodeStateAsUpdate(document));
  Y.applyUpdate(copy, update);
  const places = new Map<List, Map<Y.Item, number>>();

  function placeOf(item: Y.Item): number {
    const list = item.parent as List;
    let inList = places.get(list);
    if (!inList) {
      inList = new Map();
      for (let at = list._start; at; at = at.right) inList.set(at, inList.size);
      places.set(list, inList);
    }
    return inList.get(item) ?? Number.NaN;
  }

  const wrong = claims.find(({ left, right }) => {
    const [one, other] = [Y.getItem(copy.store, left), Y.getItem(copy.store, right)];
    if (!(one instanceof Y.Item) || !(other instanceof Y.Item)) return false;
    if (one === other) return left.clock >= right.clock;
    return one.parent !== other.parent || !(placeOf(one) < placeOf(other));
  });
  copy.destroy();
  return wrong && { client: wrong.client, why: "has no right origin after its origin" };
}

function equalIds(one: Y.ID | null, other: Y.ID | null): boolean {
  return Y.compareIDs(one, other);
}
