import * as z from "zod";
import {
  type Agent,
  defineService,
  type FlockError,
  type HandlerContext,
  type ReceivedMessage,
  type Room,
} from "../../src/index.ts";
import { cancelKind } from "../../src/protocol/index.ts";
import type { SimulatedRandom, SimulatedReplica } from "../../src/testing/index.ts";
import type { Tamper } from "./member.ts";
import { answerTo, type Effect, isRefused, type Life, type RequestsBook } from "./requests-book.ts";

export const answers = defineService("answers", { to: { input: z.number(), output: z.number() } });

/** An open replica. */
export interface AskingMember {
  readonly room: Room;
  readonly replica: SimulatedReplica;
  readonly life: Life;
  /** Its agents that ask. */
  readonly askers: readonly Agent[];
}

export interface AskingMemberOptions {
  agents: readonly string[];
  life: Life;
  book: RequestsBook;
  random: SimulatedRandom;
  tamper: Tamper;
  /** Whether a handler does anything about a question; for the control. */
  answers(number: number): boolean;
  /** Whether handlers may be slow and fail at present. */
  mayFail(): boolean;
}

export const askerName = "asker";

/** What an application hears of and goes on. */
const expected = /^(messaging\/handler-failed|refstore\/unavailable)$/;

/** Opens a replica's room and its agents: those that ask, and those that answer. */
export async function openAskingMember(
  replica: SimulatedReplica,
  options: AskingMemberOptions,
): Promise<AskingMember> {
  const { agents, life, book, random, tamper, mayFail } = options;
  const room = await replica.open("lab", { platform: tamper(replica) });
  const takenBack = new Set<string>();
  room.onProblem((error: FlockError) => {
    if (error.code === "messaging/late-reply") book.late(String(error.details?.["reply"]));
    else if (!expected.test(error.code)) book.complain(`${life.name}: ${error.code}: ${error.message}`);
  });
  room.view(
    {
      key({ kind, parents }) {
        if (kind === cancelKind) for (const request of parents) takenBack.add(request);
        return undefined;
      },
      init: () => undefined,
      step: () => undefined,
    },
    { history: false },
  );

  const pause = (ms: number): Promise<void> =>
    new Promise((resolve) => {
      replica.clock.after(ms, resolve);
    });

  /** Works for a while, at times a long one, and at times in vain. */
  async function work(): Promise<void> {
    const isSlow = mayFail() && random.chance(0.25);
    await pause(isSlow ? random.between(2_000, 40_000) : random.below(250));
    if (mayFail() && random.chance(0.15)) throw new Error("a handler's bad day");
  }

  async function answer(
    agent: string,
    { id, content, expiresAt, role }: ReceivedMessage,
    { signal, respond }: HandlerContext,
  ): Promise<void> {
    if (role !== "request") return;
    const effect: Effect = { life, agent, number: Number(content) };
    book.began(effect, { id, expiresAt, now: replica.clock.now() });
    if (takenBack.has(id)) book.complain(`${agent} begins ${id}, which it knows to be taken back`);
    await work();
    if (takenBack.has(id) && !signal.aborted) {
      book.complain(`${agent} was not told that ${id} is taken back`);
    }
    if (signal.aborted || !options.answers(effect.number)) return;
    const count = random.chance(0.1) ? 2 : 1;
    for (let number = 0; number < count; number++) {
      if (isRefused(effect.number)) await respond("no", { type: "ERROR" });
      else await respond(answerTo(effect.number));
    }
  }

  const askers: Agent[] = [];
  for (const name of agents) {
    const agent = await room.agent(name);
    if (name === askerName) {
      askers.push(agent);
      continue;
    }
    const fullName = agent.writer.slice(0, agent.writer.lastIndexOf("."));
    agent.onMessage({ type: "QUERY" }, (message, context) => answer(fullName, message, context), {
      consumer: "direct",
    });
    agent.onMessage({ topic: "polls" }, (message, context) => answer(fullName, message, context));
    agent.serve(answers, {
      async to(number, { expiresAt }) {
        book.executed({ life, agent: fullName, number }, { expiresAt, now: replica.clock.now() });
        await pause(mayFail() && random.chance(0.25) ? random.between(600, 15_000) : random.below(250));
        if (isRefused(number)) throw new Error("no");
        return answerTo(number);
      },
    });
  }
  return { room, replica, life, askers };
}
