import { describe, expect, it } from "vitest";
import { maxAhead, registerRecordSchema } from "../../src/protocol/index.ts";

const record = (position: object, consumer: object = {}) => ({
  version: 1,
  capabilities: [],
  since: 1,
  consumers: { "direct/*": { filter: {}, lanes: { "anon.planner.AAAAAAAAAAA": position }, ...consumer } },
});

const alternating = Array.from({ length: maxAhead }, (_, index) => index + 1);

describe("the record of a consumer", () => {
  it.each<[string, object, object?]>([
    ["a floor", { below: 0, pages: {} }],
    ["pages", { below: 3, pages: { "3-7": 2, "4-4294967295": 0 } }],
    [
      "ranges and tries",
      { below: 0, pages: { "0-1": 1 }, done: { "0-1": [2, 4, 6, 7] }, tries: { "0-1/1": 3 } },
    ],
    ["the most ranges that a position has", { below: 0, pages: {}, done: { "0-1": alternating } }],
    ["a group that no handler is open for", { below: 0, pages: {} }, { group: "crew", closed: true }],
  ])("MSG-33: may be %s", (_, position, consumer) => {
    const written = record(position, consumer);
    expect(registerRecordSchema.parse(written)).toEqual(written);
  });

  it.each<[string, object, object?]>([
    ["half a range", { done: { "0-1": [1, 2, 3] } }],
    ["a range that ends before it begins", { done: { "0-1": [2, 1] } }],
    ["ranges that touch", { done: { "0-1": [1, 2, 2, 3] } }],
    [
      "more ranges than any position has",
      { done: { "0-1": Array.from({ length: 2 * maxAhead + 2 }, (_, index) => index) } },
    ],
    ["a range of no page", { done: { page: [1, 2] } }],
    ["tries of a page", { tries: { "0-1": 1 } }],
    ["no tries", { tries: { "0-1/1": 0 } }],
    ["a word that is none", { ahead: 1 }],
    ["a consumer that is not closed", {}, { closed: false }],
  ])("MSG-33: can't be %s", (_, over, consumer) => {
    const written = record({ below: 0, pages: {}, ...over }, consumer);
    expect(registerRecordSchema.safeParse(written).success).toBe(false);
  });
});
