import { type Cursor, readByte, readCount, readVarUint, refuse, skipBytes } from "./cursor.ts";
import { skipJson } from "./json.ts";
import { kind, type ProfileRules } from "./profiles.ts";
import { readKey, readText } from "./text.ts";
import { skipValue } from "./values.ts";
import type { GateLimits } from "./verdict.ts";

/** Clocks end here, where no honest client comes: one struct cannot claim all that is to come. */
export const maxClock = 2 ** 31;
/** Yjs 13 draws its clients from 32 random bits. */
const maxClient = 2 ** 32 - 1;
/** Stands for an id that a struct does not have. */
export const none = -1;

/** One struct as read; one record serves a whole scan. Ids are a client (or `none`) and a clock. */
export interface Struct {
  kind: number;
  /** Clocks that it takes. */
  length: number;
  /** Whether it says that it lies under a key of a map; one with an origin may do so and not say it. */
  keyed: boolean;
  originClient: number;
  originClock: number;
  rightClient: number;
  rightClock: number;
  parentClient: number;
  parentClock: number;
}

/** Creates the record that `readStruct` fills. */
export function createStruct(): Struct {
  return {
    kind: kind.gc,
    length: 0,
    keyed: false,
    originClient: none,
    originClock: 0,
    rightClient: none,
    rightClock: 0,
    parentClient: none,
    parentClock: 0,
  };
}

const originBit = 128;
const rightBit = 64;
const keyBit = 32;
const kindBits = 31;

/** Reads one struct and holds it against what the profile allows by its bytes alone. */
export function readStruct(cursor: Cursor, struct: Struct, rules: ProfileRules, limits: GateLimits): void {
  const info = readByte(cursor);
  struct.kind = info & kindBits;
  struct.keyed = (info & keyBit) !== 0;
  struct.originClient = none;
  struct.rightClient = none;
  struct.parentClient = none;
  if ((rules.kinds & (1 << struct.kind)) === 0) refuseKind(cursor, struct.kind);
  else if (struct.kind !== kind.gc) readItem(cursor, struct, info, rules, limits);
  else if (info === kind.gc) struct.length = readVarUint(cursor);
  else refuse(cursor, "gate/not-canonical", `A collected struct has flags in its info byte ${info}`);
  if (struct.length === 0) refuse(cursor, "gate/not-canonical", "A struct takes no clock");
}

function readItem(
  cursor: Cursor,
  struct: Struct,
  info: number,
  rules: ProfileRules,
  limits: GateLimits,
): void {
  if ((info & originBit) !== 0) {
    struct.originClient = readClient(cursor);
    struct.originClock = readClock(cursor);
  }
  if ((info & rightBit) !== 0) {
    if (!rules.rightOrigins) refuse(cursor, "gate/right-origin", "An item has a right origin: append or set");
    struct.rightClient = readClient(cursor);
    struct.rightClock = readClock(cursor);
  }
  if (struct.keyed && rules.key === "none") refuse(cursor, "gate/profile", "An item of a list has a key");
  // Beside an origin the key's bit stands without the key: Yjs sets it, and drops it when it merges updates.
  if ((info & (originBit | rightBit)) === 0) readParent(cursor, struct, rules);
  struct.length = readContent(cursor, struct.kind, limits);
}

function readParent(cursor: Cursor, struct: Struct, rules: ProfileRules): void {
  const named = readVarUint(cursor);
  if (named === 1) {
    if (!readKey(cursor, rules.root)) refuse(cursor, "gate/profile", `The root type here is "${rules.root}"`);
  } else if (named === 0) {
    if (rules.root !== undefined) refuse(cursor, "gate/profile", "No nested types are allowed here");
    struct.parentClient = readClient(cursor);
    struct.parentClock = readClock(cursor);
  } else refuse(cursor, "gate/not-canonical", `A parent is a name (1) or an id (0), not ${named}`);
  if (typeof rules.key === "object") {
    const { name } = rules.key;
    if (!struct.keyed || !readKey(cursor, name)) refuse(cursor, "gate/profile", `The key here is "${name}"`);
  } else if (struct.keyed) readKey(cursor);
}

/** Yjs's own numbers of the types Array, Map and Text; XML follows. */
const lastTypeReference = 2;

/** Moves past a content and returns the clocks that it takes. */
function readContent(cursor: Cursor, contentKind: number, limits: GateLimits): number {
  switch (contentKind) {
    case kind.any: {
      const count = readCount(cursor, 1);
      for (let index = 0; index < count && !cursor.refusal; index++) skipValue(cursor, limits);
      return count;
    }
    case kind.string:
      return readText(cursor);
    case kind.deleted:
      return readVarUint(cursor);
    case kind.binary:
      skipBytes(cursor, readVarUint(cursor));
      return 1;
    case kind.format:
      readKey(cursor);
      skipJson(cursor, limits.valueDepth);
      return 1;
    case kind.embed:
      skipJson(cursor, limits.valueDepth);
      return 1;
    default:
      if (readVarUint(cursor) > lastTypeReference) {
        refuse(cursor, "gate/forbidden-content", "A shared type is none of Array, Map and Text");
      }
      return 1;
  }
}

/** Reads a Yjs client. */
export function readClient(cursor: Cursor): number {
  const client = readVarUint(cursor);
  return client <= maxClient ? client : refuse(cursor, "gate/bounds", `The client ${client} exceeds 32 bits`);
}

/** Reads the clock of an item: the last is one below `maxClock`. */
export function readClock(cursor: Cursor): number {
  const clock = readVarUint(cursor);
  return clock < maxClock ? clock : refuse(cursor, "gate/bounds", `The clock ${clock} exceeds 31 bits`);
}

function refuseKind(cursor: Cursor, refused: number): void {
  if (refused > kind.skip) refuse(cursor, "gate/malformed", `No content has the number ${refused}`);
  else if (refused === kind.skip) refuse(cursor, "gate/not-canonical", "A struct skips clocks");
  else if (refused === kind.json || refused === kind.subdocument) {
    refuse(cursor, "gate/forbidden-content", "Subdocuments and the JSON of an older Yjs are not allowed");
  } else refuse(cursor, "gate/profile", `The content of kind ${refused} has no place in this document`);
}
