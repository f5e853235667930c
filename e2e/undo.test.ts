import { expect } from "@playwright/test";
import type { UndoHistory } from "flockstate";
import type { Version } from "./harness/versions.ts";
import type { Client } from "./support/client.ts";
import { test } from "./support/fixtures.ts";

declare global {
  /** The histories that a test has opened in a page, by whose changes they take back. */
  var histories: { mine: UndoHistory; planner: UndoHistory };
}

const notes = async (client: Client) => (await client.report()).notes;

async function openHistories({ page }: Client): Promise<void> {
  await page.evaluate(() => {
    const { openUndo } = harness.room;
    globalThis.histories = {
      mine: openUndo({ mergeMs: 0 }),
      planner: openUndo({ of: { agent: "planner" }, mergeMs: 0 }),
    };
  });
}

/** Types as an editor's binding does: into the Yjs type, in a transaction with an origin of its own. */
const type = ({ page }: Client, text: string) =>
  page.evaluate((typed) => {
    const { y } = harness.room.state.notes;
    y.doc?.transact(() => y.insert(y.length, typed), { binding: "an editor" });
  }, text);

const asPlanner = ({ page }: Client, text: string) =>
  page.evaluate((typed) => {
    const { state, transact } = harness.room;
    transact(() => state.notes.insert(state.notes.get().length, typed), { agent: "planner" });
  }, text);

async function expectNotes(clients: readonly Client[], text: string): Promise<void> {
  for (const client of clients) await expect.poll(() => notes(client)).toBe(text);
}

test("E2E-35: two browsers edit one text, and each takes back its own, a person's and an agent's apart", async ({
  join,
}) => {
  const both = [await join(), await join()] as const;
  const [left, right] = both;
  for (const client of both) await openHistories(client);
  await type(left, "left ");
  await expectNotes(both, "left ");
  await type(right, "right ");
  await expectNotes(both, "left right ");
  await asPlanner(left, "agent ");
  await expectNotes(both, "left right agent ");
  await type(left, "end");
  await expectNotes(both, "left right agent end");

  await left.page.evaluate(() => void histories.planner.undo());
  await expectNotes(both, "left right end");
  await right.page.evaluate(() => void histories.mine.undo());
  await expectNotes(both, "left end");
  await left.page.evaluate(() => void histories.mine.undo());
  await expectNotes(both, "left ");
  await left.page.evaluate(() => void histories.mine.undo());
  await expectNotes(both, "");
  const steps = ({ page }: Client) =>
    page.evaluate(() => [histories.mine.steps.get(), histories.planner.steps.get()]);
  expect(await steps(left)).toEqual([
    { undo: 0, redo: 2 },
    { undo: 0, redo: 1 },
  ]);
  expect(await steps(right)).toEqual([
    { undo: 0, redo: 1 },
    { undo: 0, redo: 0 },
  ]);

  await right.page.evaluate(() => histories.mine.redo()?.settled("relayed"));
  await left.page.evaluate(() => void histories.planner.redo());
  for (const client of both) {
    await expect
      .poll(async () => (await notes(client)).split(" ").toSorted())
      .toEqual(["", "agent", "right"]);
  }
  expect(await notes(left)).toBe(await notes(right));
  for (const client of both) {
    await client.synced();
    expect(await client.problems()).toEqual([]);
  }
});

test("E2E-36: what was typed while a browser was cut off is undone there, before the heal and after", async ({
  join,
}) => {
  const both = [await join(), await join()] as const;
  const [left, right] = both;
  for (const client of both) await openHistories(client);
  await type(left, "base ");
  await expectNotes(both, "base ");
  await left.page.evaluate(() => harness.room.disconnect());
  await type(left, "dark ");
  await type(left, "darker ");
  await type(right, "light ");
  await left.page.evaluate(() => void histories.mine.undo());
  expect(await notes(left)).toBe("base dark ");
  await left.page.evaluate(() => harness.room.connect());
  for (const client of both)
    await expect.poll(() => notes(client)).toMatch(/^base (dark light|light dark) $/);
  await left.page.evaluate(() => void histories.mine.undo());
  await expectNotes(both, "base light ");
  await left.page.evaluate(() => void histories.mine.undo());
  await expectNotes(both, "light ");
  await left.synced();
  expect(await left.problems()).toEqual([]);
});

test("E2E-37: two versions of an application work on one table, and neither loses what the other wrote", async ({
  newPage,
  relay,
  room,
}) => {
  const open = async (version: Version) => {
    const page = await newPage();
    const options = { room, relay: relay.url };
    await page.evaluate(([which, given]) => harness.openVersion(which, given), [version, options] as const);
    return {
      set: (row: object) => page.evaluate((given) => harness.people.set(given), row),
      rows: () => page.evaluate(() => [...harness.people.rows()]),
      reopen: async () => {
        await page.reload();
        await page.evaluate(([which, given]) => harness.openVersion(which, given), [
          version,
          options,
        ] as const);
      },
    };
  };
  const [old, young] = [await open("earlier"), await open("later")];
  await old.set({ id: "ada", name: "Ada Lovelace" });
  await expect.poll(young.rows).toEqual([{ id: "ada", first: "Ada", last: "Lovelace" }]);
  await young.set({ id: "ada", first: "Ada", last: "King", born: 1815 });
  await young.set({ id: "kurt", first: "Kurt", last: "Gödel", born: 1906 });
  await expect.poll(old.rows).toEqual([
    { id: "ada", name: "Ada King" },
    { id: "kurt", name: "Kurt Gödel" },
  ]);

  // The earlier version writes last: its name counts, and what it does not know stays.
  await old.set({ id: "ada", name: "Augusta Byron" });
  await expect.poll(async () => (await young.rows())[0]).toMatchObject({ first: "Augusta", last: "Byron" });
  await young.set({ id: "kurt", first: "Kurt Friedrich", last: "Gödel", born: 1906 });
  for (const each of [old, young]) await each.reopen();
  await expect.poll(async () => (await old.rows())[1]).toEqual({ id: "kurt", name: "Kurt Friedrich Gödel" });
  expect((await young.rows())[1]).toEqual({ id: "kurt", first: "Kurt Friedrich", last: "Gödel", born: 1906 });
});
