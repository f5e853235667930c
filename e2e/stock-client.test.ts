import { expect } from "@playwright/test";
import { test } from "./support/fixtures.ts";

test("E2E-11: a stock y-websocket client in a page shares the document with a room", async ({
  join,
  newPage,
  relay,
  room,
}) => {
  const client = await join();
  await client.page.evaluate(() => harness.room.state.notes.insert(0, "from the room. ").settled("relayed"));

  const page = await newPage();
  await page.evaluate(
    (base) => harness.openStock(base),
    `${relay.url.replace("http", "ws")}/v1/rooms/${room}/docs`,
  );
  const inStock = () =>
    page.evaluate(() => {
      const { document } = harness.stock;
      return { notes: document.getText("notes").toString(), log: document.getArray("log").toArray() };
    });
  const inRoom = async () => {
    const { notes, log } = await client.report();
    return { notes, log };
  };
  expect(await inStock()).toEqual({ notes: "from the room. ", log: [] });

  await page.evaluate(() => {
    const { document } = harness.stock;
    document.getText("notes").insert("from the room. ".length, "from the stock client.");
    document.getArray("log").push(["stock"]);
  });
  await client.page.evaluate(() => harness.room.state.log.push("room"));
  await expect.poll(async () => (await inRoom()).log.toSorted()).toEqual(["room", "stock"]);
  await expect(async () => expect(await inStock()).toEqual(await inRoom())).toPass();
  expect((await inRoom()).notes).toBe("from the room. from the stock client.");

  // What either wrote while they were apart reaches the other when the stock client comes back.
  await page.evaluate(() => {
    harness.stock.provider.disconnect();
    harness.stock.document.getText("notes").insert(0, "stock, apart. ");
  });
  await client.page.evaluate(() => harness.room.state.board.set("apart", true).settled("relayed"));
  expect((await inRoom()).notes).not.toContain("apart");
  await page.evaluate(() => harness.stock.provider.connect());
  await expect.poll(async () => (await inRoom()).notes).toContain("stock, apart. ");
  await page.waitForFunction(() => harness.stock.document.getMap("board").get("apart") === true);
  expect(await client.problems()).toEqual([]);
});
