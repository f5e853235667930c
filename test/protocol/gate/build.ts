import * as encoding from "lib0/encoding";

/** The id of an item: client and clock. */
export type Id = readonly [client: number, clock: number];

/** A struct as its bytes say, whether it makes sense or not. */
export interface StructSpec {
  kind: number;
  origin?: Id | undefined;
  right?: Id | undefined;
  /** The name of a root type, or the id of an item; written only beside neither origin. */
  parent?: string | Id | undefined;
  key?: string | undefined;
  content: (encoder: encoding.Encoder) => void;
}

export interface BlockSpec {
  client: number;
  clock: number;
  structs: StructSpec[];
}

export type DeleteSpec = readonly [
  client: number,
  ranges: readonly (readonly [clock: number, length: number])[],
];

const varUint =
  (value: number) =>
  (encoder: encoding.Encoder): void =>
    encoding.writeVarUint(encoder, value);

/** Contents by name, each with its number on the wire. */
export const content = {
  gc: (length: number) => ({ kind: 0, content: varUint(length) }),
  deleted: (length: number) => ({ kind: 1, content: varUint(length) }),
  json: (...texts: string[]) => ({
    kind: 2,
    content: (encoder: encoding.Encoder) => {
      encoding.writeVarUint(encoder, texts.length);
      for (const text of texts) encoding.writeVarString(encoder, text);
    },
  }),
  binary: (bytes: Uint8Array) => ({
    kind: 3,
    content: (encoder: encoding.Encoder) => encoding.writeVarUint8Array(encoder, bytes),
  }),
  string: (text: string) => ({
    kind: 4,
    content: (encoder: encoding.Encoder) => encoding.writeVarString(encoder, text),
  }),
  /** A string of any bytes. */
  rawString: (bytes: Uint8Array) => ({
    kind: 4,
    content: (encoder: encoding.Encoder) => encoding.writeVarUint8Array(encoder, bytes),
  }),
  embed: (json: string) => ({
    kind: 5,
    content: (encoder: encoding.Encoder) => encoding.writeVarString(encoder, json),
  }),
  format: (key: string, json: string) => ({
    kind: 6,
    content: (encoder: encoding.Encoder) => {
      encoding.writeVarString(encoder, key);
      encoding.writeVarString(encoder, json);
    },
  }),
  type: (reference: number) => ({ kind: 7, content: varUint(reference) }),
  any: (...values: encoding.AnyEncodable[]) => ({
    kind: 8,
    content: (encoder: encoding.Encoder) => {
      encoding.writeVarUint(encoder, values.length);
      for (const value of values) encoding.writeAny(encoder, value);
    },
  }),
  /** `count` values as these bytes say. */
  rawAny: (count: number, bytes: number[]) => ({
    kind: 8,
    content: (encoder: encoding.Encoder) => {
      encoding.writeVarUint(encoder, count);
      encoding.writeUint8Array(encoder, Uint8Array.from(bytes));
    },
  }),
  subdocument: (guid: string) => ({
    kind: 9,
    content: (encoder: encoding.Encoder) => {
      encoding.writeVarString(encoder, guid);
      encoding.writeAny(encoder, { autoLoad: true });
    },
  }),
  skip: (length: number) => ({ kind: 10, content: varUint(length) }),
};

/** Writes an update exactly as specified, in the order given. */
export function buildUpdate(blocks: readonly BlockSpec[], deletes: readonly DeleteSpec[] = []): Uint8Array {
  return encoding.encode((encoder) => {
    encoding.writeVarUint(encoder, blocks.length);
    for (const { client, clock, structs } of blocks) {
      encoding.writeVarUint(encoder, structs.length);
      encoding.writeVarUint(encoder, client);
      encoding.writeVarUint(encoder, clock);
      for (const struct of structs) writeStruct(encoder, struct);
    }
    encoding.writeVarUint(encoder, deletes.length);
    for (const [client, ranges] of deletes) {
      encoding.writeVarUint(encoder, client);
      encoding.writeVarUint(encoder, ranges.length);
      for (const [clock, length] of ranges) {
        encoding.writeVarUint(encoder, clock);
        encoding.writeVarUint(encoder, length);
      }
    }
  });
}

function writeStruct(
  encoder: encoding.Encoder,
  { kind, origin, right, parent, key, content }: StructSpec,
): void {
  encoding.writeUint8(encoder, kind | (origin ? 128 : 0) | (right ? 64 : 0) | (key === undefined ? 0 : 32));
  for (const id of [origin, right]) if (id) writeId(encoder, id);
  if (kind !== 0 && kind !== 10 && !origin && !right) {
    encoding.writeVarUint(encoder, typeof parent === "object" ? 0 : 1);
    if (typeof parent === "object") writeId(encoder, parent);
    else encoding.writeVarString(encoder, parent ?? "t");
    if (key !== undefined) encoding.writeVarString(encoder, key);
  }
  content(encoder);
}

function writeId(encoder: encoding.Encoder, [client, clock]: Id): void {
  encoding.writeVarUint(encoder, client);
  encoding.writeVarUint(encoder, clock);
}
