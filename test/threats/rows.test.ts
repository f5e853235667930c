import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { attacks } from "./attacks.ts";
import { type Proof, rows } from "./rows.ts";

const numbers = Array.from({ length: 21 }, (_, index) => index + 1);

/** Whether the file has a title that begins so. */
function isThere({ file, title }: Proof): boolean {
  const source = readFileSync(new URL(`../${file}`, import.meta.url), "utf8");
  return ['"', "`", "'"].some((quote) => source.includes(`${quote}${title}`));
}

describe("the table of threats", () => {
  test("THREAT-0: has every row, and each says where it is proven, or why not", () => {
    expect(Object.keys(rows).map(Number)).toEqual(numbers);
    for (const [row, { relay, client, because }] of Object.entries(rows)) {
      const isWhole = relay.length > 0 && client.length > 0;
      expect([row, isWhole || because !== undefined]).toEqual([row, true]);
    }
  });

  test.each(numbers)("THREAT-0: what row %i names is there", (row) => {
    const missing = [...(rows[row]?.relay ?? []), ...(rows[row]?.client ?? [])].filter(
      (proof) => !isThere(proof),
    );
    expect(missing).toEqual([]);
  });

  test("THREAT-0: a row that stands for attacks by one update has some", () => {
    const shared = Object.entries(rows).filter(([, { relay }]) =>
      relay.some(({ title }) => title.startsWith("THREAT-%i")),
    );
    const attacked = new Set(attacks.map(({ row }) => row));
    expect(shared.map(([row]) => Number(row)).filter((row) => !attacked.has(row))).toEqual([]);
  });

  test("THREAT-0: control: a title that is nowhere is missed", () => {
    expect(isThere({ file: "threats/orders.test.ts", title: "THREAT-99" })).toBe(false);
  });
});
