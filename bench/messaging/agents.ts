import { performance } from "node:perf_hooks";
import { type Agent, openRoom, type Room, type RoomPlatform } from "../../src/index.ts";
import { content } from "../limits.ts";
import { spentUs } from "../measure.ts";

/** An agent that sends and one that handles, in one room object or in two. */
export interface Pair {
  readonly sender: Agent;
  readonly receiver: Agent;
  close(): Promise<void>;
}

/** A name that no room has had. */
export function newRoomId(): string {
  return `bench-${Math.random().toString(36).slice(2)}`;
}

/** Both agents in one room object. */
export async function openTogether(): Promise<Pair> {
  const room = await openRoom(newRoomId(), { platform: { openTabChannel: false } });
  return pairOf(await room.agent("sender"), await room.agent("receiver"), [room]);
}

/** Each agent in a room object of its own; resolves once they have met. */
export async function openApart(
  platforms: readonly [RoomPlatform, RoomPlatform],
  relay?: string,
): Promise<Pair> {
  const id = newRoomId();
  const options = relay === undefined ? {} : { relay };
  const one = await openRoom(id, { ...options, platform: platforms[0] });
  const two = await openRoom(id, { ...options, platform: platforms[1] });
  const pair = pairOf(await one.agent("sender"), await two.agent("receiver"), [one, two]);
  const message = createLoneMessage(pair);
  await message.time();
  message.stop();
  return pair;
}

function pairOf(sender: Agent, receiver: Agent, rooms: readonly Room[]): Pair {
  return {
    sender,
    receiver,
    async close() {
      for (const room of rooms) await room.close();
    },
  };
}

/** Messages a second, and what the processor spent on each in all threads of this process. */
export interface Rate {
  readonly perSecond: number;
  readonly processorUs: number;
}

/** Sends `count` messages, `perTurn` in each turn of the event loop, until the last is handled; default all in one turn. */
export async function sendRate({ sender, receiver }: Pair, count: number, perTurn = count): Promise<Rate> {
  let handled = 0;
  let done: () => void = () => {};
  const all = new Promise<void>((resolve) => {
    done = resolve;
  });
  const stop = receiver.onMessage({ type: "RATE" }, () => {
    if (++handled === count) done();
  });
  const rate = await rateUntil(all, sender, count, perTurn);
  stop();
  return rate;
}

/** Sends messages of the type `RATE`, until something that follows from all of them. */
export async function rateUntil(
  handled: Promise<void>,
  sender: Agent,
  count: number,
  perTurn: number,
): Promise<Rate> {
  const { wall, processor } = await spentUs(async () => {
    for (let sent = 0; sent < count; sent += perTurn) {
      const end = Math.min(count, sent + perTurn);
      for (let each = sent; each < end; each++) {
        void sender.send({ to: "receiver", type: "RATE", content });
      }
      if (end < count) await turn();
    }
    await handled;
  });
  return { perSecond: (count / wall) * 1_000_000, processorUs: processor / count };
}

/** Messages one at a time: each timed from `send` to its handler, or from a request to its reply. */
export interface LoneMessage {
  /** In microseconds; resolves once nothing follows the message any more. */
  time(): Promise<number>;
  stop(): void;
}

/** Begins to handle lone messages. */
export function createLoneMessage({ sender, receiver }: Pair): LoneMessage {
  let arrived: (at: number) => void = () => {};
  const stop = receiver.onMessage({ type: "LONE" }, () => arrived(performance.now()));
  return {
    async time() {
      const arrival = new Promise<number>((resolve) => {
        arrived = resolve;
      });
      const sentAt = performance.now();
      const sent = sender.send({ to: "receiver", type: "LONE", content });
      const handledAt = await arrival;
      await sent;
      await turn();
      return (handledAt - sentAt) * 1_000;
    },
    stop,
  };
}

/** Begins to answer requests. */
export function createRequest({ sender, receiver }: Pair): LoneMessage {
  const stop = receiver.onMessage({ type: "ASK" }, (_, { respond }) => respond(1));
  return {
    async time() {
      const askedAt = performance.now();
      await sender.request({ to: "receiver", type: "ASK", content }, { timeoutMs: requestMs });
      const us = (performance.now() - askedAt) * 1_000;
      await turn();
      return us;
    },
    stop,
  };
}

/** Past anything that a reply takes. */
const requestMs = 30_000;

/** Lets what is due happen. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
