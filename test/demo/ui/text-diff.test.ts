import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import * as Y from "yjs";
import { diffText, movePosition, type TextEdit } from "../../../demo/src/ui/text-diff.ts";

const apply = (text: string, edit: TextEdit | undefined) =>
  edit === undefined
    ? text
    : text.slice(0, edit.index) + edit.inserted + text.slice(edit.index + edit.removed);

const isWhole = (text: string) => !/\p{Surrogate}/u.test(text);
/** Pairs that share their first half, and pairs that share their second. */
const text = fc.string({ unit: fc.constantFrom("a", "b", "😀", "😁", "🨀", "\n"), maxLength: 12 });

/** The diff that knows nothing of surrogate pairs. */
function naiveDiff(before: string, after: string): TextEdit {
  let head = 0;
  while (head < Math.min(before.length, after.length) && before[head] === after[head]) head += 1;
  let tail = 0;
  const limit = Math.min(before.length, after.length) - head;
  while (tail < limit && before.at(-1 - tail) === after.at(-1 - tail)) tail += 1;
  return {
    index: head,
    removed: before.length - head - tail,
    inserted: after.slice(head, after.length - tail),
  };
}

describe("DEMO-15: what is typed becomes the smallest edit", () => {
  it("that leads from the text before to the text after, wherever the caret is", () => {
    fc.assert(
      fc.property(text, text, fc.nat(24), (before, after, caret) => {
        expect(apply(before, diffText(before, after, caret))).toBe(after);
      }),
      { numRuns: 500 },
    );
  });

  const cutsNoPair = (diff: (before: string, after: string) => TextEdit | undefined) =>
    fc.property(text, text, (before, after) => {
      const edit = diff(before, after);
      if (edit === undefined) return true;
      return isWhole(edit.inserted) && isWhole(before.slice(edit.index, edit.index + edit.removed));
    });

  it("and cuts no surrogate pair", () => {
    fc.assert(
      cutsNoPair((before, after) => diffText(before, after, after.length)),
      { numRuns: 500 },
    );
  });

  it("control: a diff by units cuts pairs", () => {
    expect(fc.check(cutsNoPair(naiveDiff), { numRuns: 500 }).failed).toBe(true);
  });

  it("at the caret, where the letters would allow several places", () => {
    expect(diffText("aaa", "aaaa", 2)).toEqual({ index: 1, removed: 0, inserted: "a" });
    expect(diffText("aaa", "aa", 1)).toEqual({ index: 1, removed: 1, inserted: "" });
    expect(diffText("same", "same", 2)).toBeUndefined();
  });
});

describe("DEMO-16: a caret stays where it is in the text while others write", () => {
  const operations = fc.array(
    fc.oneof(
      fc.record({
        at: fc.nat(30),
        insert: fc.string({ unit: fc.constantFrom("x", "y"), minLength: 1, maxLength: 4 }),
      }),
      fc.record({ at: fc.nat(30), remove: fc.integer({ min: 1, max: 5 }) }),
    ),
    { minLength: 1, maxLength: 4 },
  );

  /** Runs remote edits over a text with the caret before its `|`, and says whether the caret is still there. */
  const keepsPlace = (move: typeof movePosition) =>
    fc.property(fc.nat(10), operations, (caret, edits) => {
      const start = "abcdefghij";
      const doc = new Y.Doc();
      const shared = doc.getText();
      shared.insert(0, `${start.slice(0, caret)}|${start.slice(caret)}`);
      let position = caret;
      shared.observe(({ delta }) => {
        position = move(position, delta);
      });
      doc.transact(() => {
        for (const edit of edits) {
          const at = Math.min(edit.at, shared.length);
          if ("insert" in edit) shared.insert(at, edit.insert);
          else {
            const marker = shared.toString().indexOf("|");
            const length = Math.min(edit.remove, shared.length - at);
            if (at > marker || at + length <= marker) shared.delete(at, length);
          }
        }
      });
      const marker = shared.toString().indexOf("|");
      // Text that was inserted right at the caret stands after it and before the mark.
      return /^[xy]*$/.test(shared.toString().slice(position, marker));
    });

  it("for any edits of others", () => {
    fc.assert(keepsPlace(movePosition), { numRuns: 500 });
  });

  it("control: a caret that does not move loses its place", () => {
    expect(
      fc.check(
        keepsPlace((position) => position),
        { numRuns: 500 },
      ).failed,
    ).toBe(true);
  });
});
