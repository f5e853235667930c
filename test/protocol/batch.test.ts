import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type Batch,
  decodeBatch,
  type EntryRecord,
  encodeBatch,
  encodeEntry,
  entryId,
  type Json,
  maxEntryBytes,
  maxPageEntries,
  parseEntryId,
} from "../../src/protocol/index.ts";
import { outcome } from "./coded.ts";

const page = fc.record({ number: fc.nat({ max: 999_999_999 }), client: fc.nat({ max: 2 ** 32 - 1 }) });
const index = fc.nat({ max: maxPageEntries - 1 });
const parent = fc.tuple(page, index).map(([name, at]) => entryId({ writer: "a.b.c", page: name, index: at }));
const body = fc
  .jsonValue({ maxDepth: 4 })
  .map((value) => JSON.parse(JSON.stringify(value)) as Json)
  .filter((value) => !JSON.stringify(value).includes("__proto__"));
const entry: fc.Arbitrary<EntryRecord> = fc.record({
  kind: fc.stringMatching(/^[a-z][a-z0-9-]{0,31}$/),
  parents: fc.array(parent, { maxLength: 3 }),
  body,
});
const hash = fc.stringMatching(/^[0-9a-f]{64}$/);
const seal = fc.record({ hash, earlier: fc.array(fc.record({ page, hash }), { maxLength: 4 }) });
const previous = fc.oneof(
  fc.record({ page, length: fc.nat({ max: 1024 }) }),
  fc.record({ page, length: fc.nat({ max: 1024 }), seal }),
);
const batch: fc.Arbitrary<Batch> = fc.record({
  first: fc.nat({ max: 1000 }),
  clock: fc.maxSafeNat(),
  previous: fc.option(previous, { nil: undefined }),
  references: fc.array(hash, { maxLength: 3 }),
  entries: fc.array(entry, { minLength: 1, maxLength: 5 }),
});
const behindLength = (text: string) => [text.length, ...new TextEncoder().encode(text)];
const encode = ({ entries, ...header }: Batch) => encodeBatch(header, entries.map(encodeEntry));
const codes = ["protocol/malformed-batch"] as const;
const header = { first: 0, clock: 1, previous: undefined, references: [] };
const plain: EntryRecord = { kind: "message", parents: [], body: 1 };

function nested(depth: number): Json {
  let value: Json = 1;
  for (let level = 0; level < depth; level++) value = [value];
  return value;
}

describe("batches", () => {
  it("FRAME-13: a batch is read back as it was", () => {
    fc.assert(
      fc.property(batch, (written) => {
        expect(decodeBatch(encode(written))).toEqual(written);
      }),
    );
  });

  it("FRAME-14: a batch cut short, too long or of another version is malformed", () => {
    fc.assert(
      fc.property(batch, fc.nat(), (written, seed) => {
        const bytes = encode(written);
        expect(outcome(() => decodeBatch(bytes.subarray(0, seed % bytes.length)), codes)).toBe("refused");
        expect(outcome(() => decodeBatch(new Uint8Array([...bytes, 0])), codes)).toBe("refused");
        bytes[0] = 3;
        expect(outcome(() => decodeBatch(bytes), codes)).toBe("refused");
      }),
    );
  });

  it("FRAME-14: whatever the bytes, a batch is taken or refused with a code", () => {
    const seen = { taken: 0, refused: 0, failed: 0 };
    const changed = fc.tuple(batch, fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { maxLength: 3 }));
    fc.assert(
      fc.property(changed, ([written, changes]) => {
        const bytes = encode(written);
        for (const [at, byte] of changes) bytes[at % bytes.length] = byte;
        seen[outcome(() => decodeBatch(bytes), codes)]++;
        expect(seen.failed).toBe(0);
      }),
      { numRuns: 500 },
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
        expect(outcome(() => decodeBatch(bytes), codes)).not.toBe("failed");
      }),
      { numRuns: 500 },
    );
    expect(Math.min(seen.taken, seen.refused)).toBeGreaterThan(0);
  });

  it("FRAME-15: what an entry may be when written is what may be read, to the last level", () => {
    const taken = (body: Json) =>
      outcome(() => decodeBatch(encodeBatch(header, [encodeEntry({ ...plain, body })])), codes);
    const written = (body: Json) => outcome(() => encodeEntry({ ...plain, body }), codes);
    const depths = Array.from({ length: 45 }, (_, depth) => [written(nested(depth)), taken(nested(depth))]);
    for (const [encoded, decoded] of depths) expect(decoded).toBe(encoded);
    // A content of 32 levels in the list of a field of a message.
    expect(depths[34]).toEqual(["taken", "taken"]);
    expect(depths[44]).toEqual(["refused", "refused"]);
  });

  it.each<[string, EntryRecord]>([
    ["a kind in capitals", { ...plain, kind: "Message" }],
    ["no kind", { ...plain, kind: "" }],
    ["a kind of 33 characters", { ...plain, kind: "k".repeat(33) }],
    ["65 parents", { ...plain, parents: new Array(65).fill("a.b.c/0-1/0") }],
    ["a parent that is no entry", { ...plain, parents: ["elsewhere"] }],
    ["a body that is no JSON", { ...plain, body: undefined as never }],
  ])("FRAME-15: an entry with %s is refused before it is written", (_, record) => {
    expect(outcome(() => encodeEntry(record), codes)).toBe("refused");
  });

  it("FRAME-14: no entries, too many, or more than 384 KiB of them are malformed", () => {
    const many = (count: number, first = 0) =>
      encodeBatch({ ...header, first }, new Array(count).fill(encodeEntry(plain)));
    expect(decodeBatch(many(maxPageEntries)).entries).toHaveLength(maxPageEntries);
    for (const bytes of [many(0), many(maxPageEntries + 1), many(2, maxPageEntries - 1)]) {
      expect(outcome(() => decodeBatch(bytes), codes)).toBe("refused");
    }
    const big = encodeEntry({ ...plain, body: "x".repeat(maxEntryBytes) });
    expect(outcome(() => decodeBatch(encodeBatch(header, [big, big])), codes)).toBe("taken");
    expect(outcome(() => decodeBatch(encodeBatch(header, [big, big, big])), codes)).toBe("refused");
  });

  it("FRAME-24: a page names the seal of the one before it and of up to 29 earlier ones, and nothing halfway", () => {
    const link = { page: { number: 1, client: 2 }, hash: "ab".repeat(32) };
    const linked = (count: number) =>
      encodeBatch(
        {
          ...header,
          previous: {
            page: link.page,
            length: 1,
            seal: { hash: link.hash, earlier: new Array(count).fill(link) },
          },
        },
        [encodeEntry(plain)],
      );
    expect(decodeBatch(linked(29)).previous?.seal?.earlier).toHaveLength(29);
    expect(outcome(() => decodeBatch(linked(30)), codes)).toBe("refused");
    const bytes = linked(1);
    for (const flags of [2, 4, 7]) {
      bytes[1] = flags;
      expect(outcome(() => decodeBatch(bytes), codes)).toBe("refused");
    }
    // Links of a page that is none: its name's first digit becomes a letter.
    const named = linked(1);
    const at = named.lastIndexOf("1-2".charCodeAt(0));
    named[at] = "x".charCodeAt(0);
    expect(outcome(() => decodeBatch(named), codes)).toBe("refused");
  });

  it("FRAME-12: an entry with a __proto__ key is malformed", () => {
    for (const key of ["__proto__", "__pro\\u0074o__", "\\u005f_proto__"]) {
      const text = `{"k":"message","b":{"deep":[{"${key}":{"isAdmin":true}}]}}`;
      const bytes = encodeBatch(header, [{ text, length: text.length }]);
      expect(outcome(() => decodeBatch(bytes), codes)).toBe("refused");
    }
  });

  it("FRAME-13: batches of the first version, each entry behind its length, are read", () => {
    const text = '{"k":"note","b":"old"}';
    const bytes = new Uint8Array([1, 0, 5, 7, 0, 2, ...behindLength(text), ...behindLength(text)]);
    const old = { kind: "note", parents: [], body: "old" };
    expect(decodeBatch(bytes)).toEqual({
      first: 5,
      clock: 7,
      previous: undefined,
      references: [],
      entries: [old, old],
    });
    for (const cut of [bytes.subarray(0, -1), new Uint8Array([...bytes, 0])]) {
      expect(outcome(() => decodeBatch(cut), codes)).toBe("refused");
    }
  });

  it("FRAME-16: an entry's id is its place, and is read back", () => {
    fc.assert(
      fc.property(page, index, (name, at) => {
        const place = { writer: "alice.planner.x7", page: name, index: at };
        expect(parseEntryId(entryId(place))).toEqual(place);
      }),
    );
    for (const id of [
      "",
      "a.b.c/0-1",
      "a.b/0-1/0",
      "a.b.c/01-1/0",
      "a.b.c/0-1/00",
      "a.b.c/0-1/-1",
      "a.b.c/0-1/0/0",
      "x",
    ]) {
      expect(parseEntryId(id)).toBeUndefined();
    }
  });
});
