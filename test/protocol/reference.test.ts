import { describe, expect, test } from "vitest";
import { isReferenceId, referenceSchema } from "../../src/protocol/index.ts";

const id = "0123456789abcdef".repeat(4);
const valid = { id, size: 0, contentType: "text/plain" };
const accepts = (value: unknown) => referenceSchema.safeParse(value).success;

test("REF-5: an id is 64 lower-case hexadecimal digits", () => {
  expect(isReferenceId(id)).toBe(true);
  for (const value of [
    id.toUpperCase(),
    id.slice(1),
    `${id}0`,
    `${id}\n`,
    "g".repeat(64),
    "",
    7,
    null,
    [id],
  ]) {
    expect(isReferenceId(value)).toBe(false);
    expect(accepts({ ...valid, id: value })).toBe(false);
  }
});

describe("REF-6: what a reference may say", () => {
  for (const contentType of [
    "text/plain",
    "text/csv; charset=utf-8",
    "application/vnd.api+json",
    "a/b;x=1",
  ]) {
    test(`content type ${contentType}`, () => expect(accepts({ ...valid, contentType })).toBe(true));
  }
  for (const contentType of [
    "",
    "text",
    "text/",
    "/x",
    "text/plain\n",
    "a/b; x=\u00e9",
    "a b/c",
    undefined,
  ]) {
    test(`not content type ${JSON.stringify(contentType)}`, () => {
      expect(accepts({ ...valid, contentType })).toBe(false);
    });
  }
  for (const size of [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53, "1", undefined]) {
    test(`not size ${size}`, () => expect(accepts({ ...valid, size })).toBe(false));
  }
  test("and nothing else is passed on", () => {
    expect(referenceSchema.parse({ ...valid, extra: 1 })).toEqual(valid);
  });
});
