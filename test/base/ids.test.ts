import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isId, parseId, parseWriterId, randomId, writerId } from "../../src/base/index.ts";

const alphabet = [..."ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"];
const id = fc.string({ unit: fc.constantFrom(...alphabet), minLength: 1, maxLength: 64 });

describe("BASE-5: ids", () => {
  it("BASE-5: are 1-64 of A-Za-z0-9_-", () => {
    fc.assert(fc.property(id, (value) => isId(value) && parseId(value, "room") === value));
    fc.assert(fc.property(fc.string(), (value) => isId(value) === /^[\w-]{1,64}$/.test(value)));
  });

  it.each(["", "a b", "a.b", "a/b", "ä", "a\n", "x".repeat(65), undefined, null, 7, ["a"]])(
    "BASE-5: %j is none",
    (value) => {
      expect(isId(value)).toBe(false);
      expect(() => parseId(value, "room")).toThrow(
        expect.objectContaining({ code: "base/invalid-id", message: expect.stringContaining("room") }),
      );
    },
  );

  it("BASE-6: a writer's name has three ids, and is read back", () => {
    fc.assert(
      fc.property(id, id, id, (principal, agent, nonce) => {
        expect(parseWriterId(writerId({ principal, agent, nonce }))).toEqual({ principal, agent, nonce });
      }),
    );
  });

  it.each(["", "a", "a.b", "a.b.c.d", "a..c", "a.b.", "a.b.c d", "a/b.c.d"])(
    "BASE-6: %j names no writer",
    (value) => {
      expect(parseWriterId(value)).toBeUndefined();
    },
  );

  it("BASE-7: random ids have 11 characters, come from the given source and differ", () => {
    expect(randomId((length) => new Uint8Array(length).fill(255))).toBe("_".repeat(11));
    expect(randomId((length) => new Uint8Array(length), 4)).toBe("AAAA");
    const many = new Set(Array.from({ length: 1_000 }, () => randomId()));
    expect(many.size).toBe(1_000);
    expect([...many].every((each) => isId(each) && each.length === 11)).toBe(true);
  });
});
