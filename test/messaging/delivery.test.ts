import { expect, it } from "vitest";
import { type Message, openDeliveryBoard, readMessage } from "../../src/messaging/index.ts";
import { createWorld, settle } from "./world.ts";

const critic = "anon.critic.AAAAAAAAAAA";
const planner = "anon.planner.CCCCCCCCCCC";
const consumers = (filter: object, done: number) => ({
  version: 1 as const,
  since: 1,
  capabilities: [],
  consumers: { some: { filter, lanes: { [planner]: { below: 0, pages: { "0-7": done } } } } },
});

function setUp() {
  const world = createWorld();
  const board = openDeliveryBoard(world.documents);
  world.arrive(planner, { to: "critic", content: 1 });
  world.arrive(planner, { to: "critic", content: 2 });
  const [first, second] = (world.log.pages(planner)[0]?.entries ?? []).map(
    (entry) => readMessage(entry) as Message,
  );
  return { world, board, first: first as Message, second: second as Message };
}

it("MSG-21: a message is delivered once a consumer whose filter takes it has passed it", async () => {
  const { world, board, first, second } = setUp();
  const done: string[] = [];
  void board.delivered(first).then(() => done.push("first"));
  void board.delivered(second).then(() => done.push("second"));
  let moved = 0;
  board.onMoved(() => moved++);
  world.publish("anon.writer.DDDDDDDDDDD", consumers({}, 2));
  world.publish(critic, consumers({ type: "STATUS" }, 2));
  world.publish(critic, consumers({ topic: "news" }, 2));
  await settle();
  expect([done, board.isDelivered(first)]).toEqual([[], false]);
  world.publish(critic, consumers({ type: "QUERY" }, 1));
  await settle();
  expect([done, board.isDelivered(first), board.isDelivered(second)]).toEqual([["first"], true, false]);
  world.publish(critic, consumers({ type: "QUERY" }, 2));
  await settle();
  expect([done, moved]).toEqual([["first", "second"], 5]);
  await board.delivered(second);
});

it("MSG-22: who waits when the room closes is told with a code", async () => {
  const { board, first } = setUp();
  const waiting = expect(board.delivered(first)).rejects.toMatchObject({ code: "crdt/closed" });
  board.close();
  await waiting;
  await expect(board.delivered(first)).rejects.toMatchObject({ code: "crdt/closed" });
});

it("MSG-137: whoever waits no longer is looked for no longer, and is told why", async () => {
  const { world, first } = setUp();
  let looks = 0;
  const { documents } = world;
  const history = { ...documents.history, marks: () => void looks++ };
  const board = openDeliveryBoard({ ...documents, history } as unknown as typeof documents);
  const controller = new AbortController();
  const waiting = board.delivered(first, controller.signal);
  waiting.catch(() => undefined);
  world.publish(critic, consumers({ topic: "news" }, 2));
  expect(looks).toBe(2);
  controller.abort("enough");
  await expect(waiting).rejects.toBe("enough");
  const before = looks;
  world.publish(critic, consumers({ topic: "sport" }, 2));
  expect(looks).toBe(before);
  await expect(board.delivered(first, AbortSignal.abort("early"))).rejects.toBe("early");
});

it("MSG-30: what retention took before it was known to be delivered is told so: a jump over it is no delivery", async () => {
  const { world, board, first } = setUp();
  const waiting = board.delivered(first);
  const head = { page: "0-7", length: 2, hash: "0".repeat(64) };
  const record = { version: 1 as const, since: 1, capabilities: [], consumers: {} };
  world.publish(planner, { ...record, lane: { low: 1, first: 1, head } });
  const some = { filter: {}, lanes: { [planner]: { below: 1, pages: {} } } };
  world.publish(critic, { ...record, consumers: { some } });
  await expect(waiting).rejects.toMatchObject({ code: "messaging/gap", details: { id: first.id } });
});

it("MSG-30: a message in a page that is sealed and gone is delivered once its addressee is past it", async () => {
  const { world, board, first, second } = setUp();
  const head = { page: "0-7", length: 2, hash: "0".repeat(64) };
  const record = { version: 1 as const, since: 1, capabilities: [], consumers: {} };
  world.publish(planner, { ...record, lane: { low: 1, first: 0, head } });
  world.log.release(planner, { number: 0, client: 7 });
  expect(board.isDelivered(first)).toBe(false);
  world.publish(critic, consumers({}, 1));
  expect([board.isDelivered(first), board.isDelivered(second)]).toEqual([true, false]);
  expect(board.isDelivered(first, { of: (id) => id !== critic })).toBe(false);
  world.publish(critic, {
    ...record,
    consumers: { some: { filter: {}, lanes: { [planner]: { below: 1, pages: {} } } } },
  });
  await board.delivered(second);
});

it("MSG-43: a message that lies in a range above the floor is delivered, and those before it are not", () => {
  const { world, board, first, second } = setUp();
  const lanes = { [planner]: { below: 0, pages: { "0-7": 0 }, done: { "0-7": [1, 2] } } };
  world.publish(critic, { ...consumers({}, 0), consumers: { some: { filter: {}, lanes } } });
  expect([board.isDelivered(first), board.isDelivered(second)]).toEqual([false, true]);
});

it("MSG-43: a member of a group tells for it; a filter may ask for any field of the message", async () => {
  const { world, board } = setUp();
  world.arrive(planner, { topic: "jobs", content: { kind: "wash" } });
  const job = readMessage(world.log.pages(planner)[0]?.entries[2] as never) as Message;
  const lanes = { [planner]: { below: 0, pages: { "0-7": 3 } } };
  const record = (match: Record<string, string>) => ({
    ...consumers({}, 0),
    consumers: { some: { filter: { topic: "jobs", match }, group: "crew", lanes } },
  });
  let isTold = false;
  const { id, writer, type } = job;
  void board.delivered({ id, writer, type }).then(() => {
    isTold = true;
  });
  world.publish("bob.helper.EEEEEEEEEEE", record({ "content.kind": "dry" }));
  await settle();
  expect([isTold, board.isDelivered(job)]).toEqual([false, false]);
  world.publish("bob.helper.EEEEEEEEEEE", record({ "content.kind": "wash" }));
  await settle();
  expect([isTold, board.isDelivered(job)]).toEqual([true, true]);
});

it("MSG-43: what was said to everyone is delivered to nobody in particular, but each may have passed it", async () => {
  const { world, board } = setUp();
  world.arrive(planner, { to: "*", content: 3 });
  const call = readMessage(world.log.pages(planner)[0]?.entries[2] as never) as Message;
  world.publish(critic, consumers({}, 3));
  expect(board.isDelivered(call)).toBe(false);
  expect(board.isDelivered(call, { of: (id) => id === critic })).toBe(true);
  expect(board.isDelivered(call, { of: (id) => id === planner })).toBe(false);
  await expect(board.delivered(call)).rejects.toMatchObject({ code: "crdt/no-addressee" });
});
