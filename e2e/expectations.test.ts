import { expect, test } from "@playwright/test";
import { doubled, expectOnce, missing } from "./support/expectations.ts";

test.describe("E2E-0 negative control: the expectations of these tests", () => {
  test("see a doubled id", () => {
    expect(doubled(["a", "b", "a", "a"])).toEqual(["a"]);
    expect(() => expectOnce(["a", "b", "a"], ["a", "b"], "a log")).toThrow(/stand twice/);
  });

  test("see a missing id", () => {
    expect(missing(["a", "b"], ["b"])).toEqual(["a"]);
    expect(() => expectOnce(["a"], ["a", "b"], "a log")).toThrow(/missing/);
  });

  test("see an id that nobody expects", () => {
    expect(() => expectOnce(["a", "b"], ["a"], "a log")).toThrow(/nobody expects/);
  });

  test("find nothing where there is nothing", () => {
    expectOnce(["b", "a"], ["a", "b"], "a log");
  });
});
