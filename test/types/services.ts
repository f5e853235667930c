import {
  defineService,
  openRoom,
  type Progress,
  type ReceivedMessage,
  type ServiceContext,
} from "flockstate";
import * as z from "zod";
import * as mini from "zod/mini";

/** Fails to compile where the two types differ. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : never;
const same = <A, B>(_: Same<A, B>): void => undefined;

const calculator = defineService("calculator", {
  add: { input: z.object({ a: z.number(), b: z.number().default(1) }), output: z.number() },
  negate: { input: mini.number(), output: mini.number() },
  length: { input: z.string(), output: z.string().transform((text) => text.length) },
  ping: { input: z.void(), output: z.void() },
});

export async function mustCompile(): Promise<void> {
  const room = await openRoom("team");
  const agent = await room.agent("calculator");
  const stop = agent.serve(calculator, {
    add({ a, b }, context) {
      same<typeof b, number>(true);
      same<typeof context, ServiceContext>(true);
      return a + b;
    },
    negate: async (value) => -value,
    length: (text) => text,
    ping: () => undefined,
  });
  stop();
  const client = agent.service(calculator, { to: "calculator", timeoutMs: 1_000 });
  const sum = await client.add({ a: 1 }, { signal: AbortSignal.timeout(1) });
  same<typeof sum, number>(true);
  const length = await client.length("four", {
    onProgress: (progress) => same<typeof progress, Progress>(true),
  });
  same<typeof length, number>(true);
  await client.ping();
  const reply = await agent.request({ to: "critic", type: "QUERY", content: 1 }, { timeoutMs: 1 });
  same<typeof reply, ReceivedMessage>(true);
  const many = agent.requestMany(
    { topic: "votes", type: "QUERY", content: 1 },
    { max: 2, until: () => true },
  );
  for await (const each of many) same<typeof each, ReceivedMessage>(true);
  agent.onMessage({ type: "QUERY" }, async (message, { respond, progress }) => {
    progress({ done: 0.5 });
    await respond({ heard: true }, { confidence: 1 });
    await agent.request({ to: "other", type: "QUERY", content: 1 }, { within: message });
  });
}

export async function mustNotCompile(): Promise<void> {
  const room = await openRoom("team");
  const agent = await room.agent("calculator");
  // @ts-expect-error every method is served
  agent.serve(calculator, { add: () => 1 });
  // @ts-expect-error a sum is a number
  agent.serve(calculator, { add: () => "1", negate: (n) => n, length: (t) => t, ping: () => undefined });
  const client = agent.service(calculator, { to: "calculator" });
  // @ts-expect-error both are numbers
  await client.add({ a: "1" });
  // @ts-expect-error it has an input
  await client.negate();
  // @ts-expect-error there is no such method
  await client.subtract({ a: 1, b: 2 });
  // @ts-expect-error a client is of somebody
  agent.service(calculator, {});
  // @ts-expect-error a method has an output
  defineService("half", { add: { input: z.string() } });
  // @ts-expect-error its deadline is that of the request
  await agent.request({ to: "critic", type: "QUERY", content: 1, ttlMs: 1 });
}
