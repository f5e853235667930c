import { expect, test } from "vitest";
import { createDocumentSet } from "../../src/edge/room/sockets/document-set.ts";

test("DROP-4: a set holds what was added, however high the numbers have risen", () => {
  const set = createDocumentSet();
  const numbers = [1, 31, 32, 1_023, 1_024, 131_072, 2 ** 31 - 1];
  for (const number of numbers) {
    expect(set.has(number)).toBe(false);
    set.add(number);
  }
  for (const number of numbers) {
    expect([set.has(number), set.has(number - 1 || 2), set.has(number + 2_048)]).toEqual([
      true,
      numbers.includes(number - 1),
      false,
    ]);
  }
});

test("DROP-4: past its bound a set forgets, and is full again with the next", () => {
  const set = createDocumentSet();
  for (let number = 1; number <= 200_000; number++) {
    set.add(number);
    if (!set.has(number)) throw new Error(`${number} is lost at once.`);
  }
  expect([set.has(1), set.has(200_000)]).toEqual([false, true]);
  const held = Array.from({ length: 200_000 }, (_, index) => index + 1).filter((number) => set.has(number));
  expect(held.length).toBeLessThanOrEqual(128 * 1_024);
});
