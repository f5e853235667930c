import * as Y from "yjs";
import { pieceOf, type Struct } from "./update-structs.ts";

/**
 * Splits a text or a run of values into structs of at most so many bytes each, as Yjs does when it inserts in between.
 * What cannot be split stays as it is: one value, whatever takes one clock. The struct is used up.
 */
export function splitStruct(struct: Struct, bytes: number): Struct[] {
  const splittable =
    struct instanceof Y.Item && struct.length > 1 && pieceOf(struct, []).bytes.length > bytes;
  const at = splittable ? middleOf(struct) : 0;
  if (!splittable || at === 0) return [struct];
  const { id, rightOrigin, parent, parentSub } = struct;
  const right = new Y.Item(
    Y.createID(id.client, id.clock + at),
    null,
    Y.createID(id.client, id.clock + at - 1),
    null,
    rightOrigin,
    parent,
    parentSub,
    struct.content.splice(at),
  );
  struct.length = at;
  return [...splitStruct(struct, bytes), ...splitStruct(right, bytes)];
}

/** Where a struct falls into halves, never between the surrogates of one character; 0 where nowhere. */
function middleOf({ content, length }: Y.Item): number {
  const middle = length >> 1;
  if (!(content instanceof Y.ContentString)) return content instanceof Y.ContentAny ? middle : 0;
  const before = content.str.charCodeAt(middle - 1);
  const isSplit = before >= 0xd800 && before <= 0xdbff;
  return isSplit ? middle - 1 : middle;
}
