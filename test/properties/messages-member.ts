import * as z from "zod/mini";
import {
  type Agent,
  type FlockError,
  type HandlerContext,
  type ReceivedMessage,
  type Room,
  table,
} from "../../src/index.ts";
import { createSimulatedRandom, type SimulatedReplica } from "../../src/testing/index.ts";
import type { Tamper } from "./member.ts";
import type { MessagesBook } from "./messages-book.ts";
import { ackWaitMs, type MessagesPlan, type PlannedConsumer, sharedName } from "./messages-plan.ts";

export const state = {
  /** What handlers have done, by consumer and message. */
  effects: table(z.object({ key: z.string(), by: z.string() }), { key: "key" }),
};

/** An open replica. */
export interface MessagesMember {
  readonly name: string;
  readonly room: Room<typeof state>;
  /** Undefined while it has none open. */
  readonly agent: Agent | undefined;
  /** Opens the agent and every consumer that is not. */
  attend(): Promise<void>;
  /** Closes the agent. */
  retire(): Promise<void>;
  /** Closes the consumer of a number, or opens it again. */
  toggle(index: number): void;
}

/** What differs in a negative control. */
export interface Hands {
  /** Consumes in another way than the property takes it to. */
  delivery?: PlannedConsumer["delivery"];
  /** Says a message to be done before it is recorded. */
  isHasty?: boolean;
}

export interface MessagesMemberOptions {
  name: string;
  /** The name of its agent. */
  agent: string;
  plan: MessagesPlan;
  book: MessagesBook;
  /** Names this life among those of all replicas. */
  life: string;
  /** What handlers' conduct is drawn from. */
  seed: string;
  tamper: Tamper;
  hands: Hands;
  /** Whether handlers fail, hang and kill their page. */
  mayFail(): boolean;
  /** Kills the page and opens it anew. */
  reload(): void;
  onProblem(error: FlockError): void;
}

type Conduct = "sync" | "quick" | "slow" | "early" | "working" | "reject" | "nak" | "term" | "hang" | "kill";

const good: readonly Conduct[] = ["sync", "quick", "quick", "slow"];
const usual: readonly Conduct[] = [
  ...Array<Conduct>(4).fill("sync"),
  ...Array<Conduct>(9).fill("quick"),
  ...Array<Conduct>(3).fill("slow"),
  "early",
  "working",
  "reject",
  "reject",
  "nak",
  "term",
  "hang",
  "kill",
];
/** What befalls a message that no handler can take. */
const cursed: readonly Conduct[] = ["reject", "reject", "nak", "hang", "kill"];

/** Opens a replica's room, and if it is to be there already its agent. */
export async function openMessagesMember(
  replica: SimulatedReplica,
  options: MessagesMemberOptions,
): Promise<MessagesMember> {
  const { name, plan, book, life, seed, tamper, hands, mayFail, reload, onProblem } = options;
  const { clock } = replica;
  const room = await replica.open("lab", {
    state,
    platform: { ...tamper(replica), ...(plan.limits && { lanes: plan.limits }) },
  });
  room.onProblem(onProblem);
  // What was given up is told apart from what is acknowledged once all letters are known.
  room.deadLetters.get();
  const open = new Map<PlannedConsumer, () => void>();
  let agent: Agent | undefined;
  let moving: Promise<unknown> = Promise.resolve();

  const wait = (ms: number): Promise<void> => new Promise((done) => void clock.after(ms, done));

  function consume(own: Agent, consumer: PlannedConsumer): void {
    if (open.has(consumer)) return;
    const stop = own.onMessage(consumer.filter, (message, context) => handle(consumer, message, context), {
      consumer: consumer.consumer,
      ...(consumer.group !== undefined && { group: consumer.group }),
      from: "start",
      ...consumer.delivery,
      ...hands.delivery,
    });
    open.set(consumer, stop);
  }

  function isAcknowledged(id: string, { name: consumer, group }: PlannedConsumer): boolean {
    const own = `anon.${options.agent}`;
    return (room.deliveryStatus(id) ?? []).some(
      (status) =>
        status.consumer === consumer &&
        (group !== undefined || status.agent === own) &&
        status.state === "acknowledged",
    );
  }

  function handle(
    consumer: PlannedConsumer,
    { id, content }: ReceivedMessage,
    context: HandlerContext,
  ): unknown {
    const shared = sharedName(consumer, options.agent);
    const { attempt, signal } = context;
    const draw = createSimulatedRandom(`${seed} ${shared} ${id} ${attempt}`);
    const isCursed = (content as { isCursed?: boolean }).isCursed === true;
    const conduct = draw.pick(mayFail() ? (isCursed ? cursed : usual) : good);
    const say = book.begin({
      life,
      consumer: shared,
      id,
      attempt,
      isOrdered: consumer.delivery.order === "lane",
      signal,
      isKnown: isAcknowledged(id, consumer),
    });

    async function record(): Promise<void> {
      if (!consumer.records) return;
      await room
        .transact(() => room.state.effects.set({ key: `${shared} ${id}`, by: life }))
        .settled("local");
    }

    async function work(): Promise<void> {
      switch (conduct) {
        case "slow":
          await wait(draw.between(100, 900));
          break;
        case "working":
          for (let count = 0; count < 3; count++) {
            await wait(ackWaitMs * 0.7);
            context.working();
          }
          break;
        case "reject":
          say("failed");
          throw new Error("a handler's bad day");
        case "nak":
          say("failed");
          context.nak({ delayMs: draw.pick([0, 300, 4_000]) });
          return;
        case "term":
          say("term");
          context.term("of no use");
          return;
        case "hang":
          await wait(4 * ackWaitMs);
          throw new Error("a handler that comes too late");
        case "kill":
          reload();
          break;
      }
      await record();
      say("ack");
      if (conduct !== "early") return;
      context.ack();
      await wait(draw.between(0, 3_000));
      throw new Error("what is said of an acknowledged message counts no more");
    }

    if (hands.isHasty) {
      say("ack");
      void wait(draw.between(0, 900))
        .then(record)
        .catch(() => undefined);
      return undefined;
    }
    if (conduct === "sync" && !consumer.records) {
      say("ack");
      return undefined;
    }
    return work();
  }

  async function attend(): Promise<void> {
    agent ??= await room.agent(options.agent);
    for (const consumer of plan.consumers) consume(agent, consumer);
  }

  async function retire(): Promise<void> {
    const own = agent;
    agent = undefined;
    open.clear();
    await own?.close();
  }

  /** One after the other; what a closed room refuses, nobody waits for. */
  function queue(task: () => Promise<void>): Promise<void> {
    const moved = moving.then(task);
    moving = moved.catch(() => undefined);
    return moved;
  }

  return {
    name,
    room,
    get agent() {
      return agent;
    },
    attend: () => queue(attend),
    retire: () => queue(retire),
    toggle(index) {
      const consumer = plan.consumers[index % plan.consumers.length];
      if (!agent || !consumer) return;
      const stop = open.get(consumer);
      stop?.();
      if (stop) open.delete(consumer);
      else consume(agent, consumer);
    },
  };
}
