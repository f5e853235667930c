import { expect, it } from "vitest";
import { timestampFromMs } from "../../src/base/index.ts";
import { defineView } from "../../src/index.ts";
import { messageKind } from "../../src/protocol/index.ts";
import { createMoment } from "../../src/room/moment.ts";
import { createQuietPages, createReplica, idOf, type Said, writeLane } from "../crdt/views-world.ts";

const planner = "anon.planner.1";
const critic = "anon.critic.1";
const perType = defineView<number>({ key: ({ kind }) => kind, init: () => 0, step: (count) => count + 1 });

const message = (sentAt: number, content: string, parents: string[] = []): Said => ({
  clock: timestampFromMs(sentAt),
  kind: messageKind,
  parents,
  body: { type: "STATUS", topic: "plans", content, schemaVersion: "1.0" },
});

/** Two lanes, the planner's sealed but for its newest page. */
async function world() {
  const pages = createQuietPages();
  const plans = await writeLane(pages, planner, [
    [message(10, "p10"), message(20, "p20")],
    [message(30, "p30"), { clock: timestampFromMs(31), kind: "note" }],
    [message(40, "p40")],
  ]);
  // Backdated: it folds after what it rests on, not by its own clock.
  const replies = await writeLane(pages, critic, [
    [message(15, "c15"), message(16, "c16", [idOf(planner, 1, 0)])],
  ]);
  const replica = createReplica(pages);
  replica.mark(plans, 2);
  replica.deliver(plans, 2);
  replica.deliver(replies, 0);
  const contents = async (time: number) =>
    (await createMoment(replica.views, time).messages()).map(({ content }) => content);
  return { pages, replica, contents };
}

it("VIEW-15: a moment reads what is sealed, in the order of the room", async () => {
  const { replica, contents } = await world();
  expect(await contents(9)).toEqual([]);
  expect(await contents(20)).toEqual(["p10", "c15", "p20"]);
  expect(await contents(29)).toEqual(["p10", "c15", "p20"]);
  expect(await contents(30)).toEqual(["p10", "c15", "p20", "p30", "c16"]);
  expect(await contents(40)).toEqual(["p10", "c15", "p20", "p30", "c16", "p40"]);
  expect(Object.fromEntries(await createMoment(replica.views, 35).fold(perType))).toEqual({
    message: 5,
    note: 1,
  });
});

it("VIEW-15: a moment waits for what is out of reach, and says so where the room closes before", async () => {
  const { pages, replica, contents } = await world();
  pages.isOffline = true;
  let isTold = false;
  const later = contents(20).finally(() => {
    isTold = true;
  });
  await pages.quiet();
  expect(isTold).toBe(false);
  pages.isOffline = false;
  replica.reachable.emit();
  expect(await later).toEqual(["p10", "c15", "p20"]);
  pages.isOffline = true;
  const other = createReplica(pages);
  other.mark(await writeLane(pages, "anon.other.1", [[message(1, "x")]]), 1);
  const never = createMoment(other.views, 20).messages();
  await pages.quiet();
  const closed = expect(never).rejects.toMatchObject({ code: "crdt/closed" });
  await other.views.close();
  await closed;
  await expect(createMoment(other.views, 20).messages()).rejects.toMatchObject({ code: "crdt/closed" });
});
