import {
  createResponse,
  defineMessage,
  type Json,
  type MessageDefinition,
  type OutgoingMessage,
  openRoom,
  type ReceivedMessage,
  type SentMessage,
} from "flockstate";
import * as z from "zod";
import * as mini from "zod/mini";

/** Fails to compile where the two types differ. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : never;
const same = <A, B>(_: Same<A, B>): void => undefined;

const orderCreated = defineMessage("order.created", {
  schema: z.object({ order: z.string(), items: z.array(z.string()).default([]) }),
  version: 2,
  upgrade: (content, from) => {
    same<typeof content, Json | Uint8Array>(true);
    same<typeof from, number>(true);
    return { order: String(content) };
  },
  downgrade: ({ items }) => {
    same<typeof items, string[]>(true);
    return { count: items.length };
  },
});
const vote = defineMessage("vote", { schema: mini.object({ yes: mini.boolean() }) });
const picture = defineMessage("picture", { schema: z.instanceof(Uint8Array) });

export async function mustCompile(received: ReceivedMessage): Promise<void> {
  const room = await openRoom("team", { messages: [orderCreated, vote, picture] });
  const shop = await room.agent("shop");
  // What the schema has a default for need not be said.
  const outgoing = orderCreated.message({
    to: "store",
    content: { order: "o-1" },
    ttlMs: 1_000,
    priority: 9,
  });
  same<typeof outgoing, OutgoingMessage>(true);
  const sent: SentMessage = await shop.send(outgoing);
  await shop.send(vote.message({ topic: "votes", content: { yes: true }, idempotencyKey: "vote 1" }));
  await shop.send(picture.message({ to: "store", content: new Uint8Array(1), labels: ["web"] }));
  shop.onMessage({ type: orderCreated.type }, (message) => {
    const order = orderCreated.of(message);
    if (order) same<typeof order.content, { order: string; items: string[] }>(true);
    const yes: boolean | undefined = vote.of(message)?.content.yes;
    return yes;
  });
  const answer = createResponse(received, { content: { done: true }, confidence: 1 });
  same<typeof answer, OutgoingMessage>(true);
  await shop.respond(received, { content: null, type: "STATUS" });
  const provenance = await room.provenance(sent.id, { depth: 3, signal: AbortSignal.timeout(1) });
  same<NonNullable<typeof provenance>["labels"], readonly string[]>(true);
  const any: MessageDefinition = vote;
  same<typeof any.type, string>(true);
}

export async function mustNotCompile(received: ReceivedMessage): Promise<void> {
  // @ts-expect-error content fits the schema
  orderCreated.message({ to: "store", content: { order: 1 } });
  // @ts-expect-error content is there
  vote.message({ to: "store" });
  // @ts-expect-error the definition says the type
  vote.message({ to: "store", content: { yes: true }, type: "LOG" });
  // @ts-expect-error votes are no orders
  vote.of(received)?.content.order;
  // @ts-expect-error a received message may be of another type
  vote.of(received).content;
  // @ts-expect-error definitions are made by defineMessage
  await openRoom("team", { messages: ["vote"] });
  // @ts-expect-error a schema is a Standard Schema
  defineMessage("vote", { schema: (value: unknown) => value });
  // @ts-expect-error a downgrade is of the schema's content
  defineMessage("vote", { schema: z.object({ yes: z.boolean() }), downgrade: ({ no }) => ({ no }) });

  const agent = await (await openRoom("team")).agent("shop");
  // @ts-expect-error roles are the library's
  await agent.send({ to: "store", type: "LOG", content: 1, role: "request" });
  // @ts-expect-error the version of the content is its definition's
  await agent.send({ to: "store", type: "LOG", content: 1, contentVersion: 2 });
  // @ts-expect-error a priority is a number
  await agent.send({ to: "store", type: "LOG", content: 1, priority: "high" });
  // @ts-expect-error an answer has its addressee from the message
  createResponse(received, { content: 1, to: "mallory" });
  // @ts-expect-error an answer rests on the message
  await agent.respond(received, { content: 1, parent: "x" });
}
