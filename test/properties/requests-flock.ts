import type { Agent, Room } from "../../src/index.ts";
import {
  defineFlock,
  type FaultMix,
  type FlockReplica,
  type FlockStep,
  type Scenario,
  type SimulatedRandom,
  type Simulation,
} from "../../src/testing/index.ts";
import type { Tamper } from "./member.ts";
import {
  createRequestsBook,
  type Life,
  outcomeOf,
  type Question,
  type QuestionKind,
  type RequestsBook,
} from "./requests-book.ts";
import { type AskingMember, answers, askerName, openAskingMember } from "./requests-member.ts";

export interface RequestsFlockOptions {
  /** How likely each way of asking is. Default 30 each. */
  weights?: Partial<Record<QuestionKind, number>>;
  faults?: FaultMix;
  /** Default 14. */
  steps?: number;
  tamper?: Tamper;
  /** Whether a handler answers a question; for the control. */
  answers?(number: number): boolean;
  /** What the book is told goes through this; for the control. */
  keep?(book: RequestsBook): RequestsBook;
}

interface PlannedReplica extends FlockReplica {
  readonly agents: readonly string[];
}

const requestFaults: FaultMix = {
  cut: 5,
  silentCut: 2,
  partition: 4,
  mute: 1,
  deaf: 1,
  offline: 1,
  crash: 8,
  close: 2,
  hide: 1,
  slowDisk: 1,
  noisyTabs: 1,
  relayCrash: 2,
  relaySleep: 2,
  relayReset: 1,
  slowRelay: 1,
};

/** Longer than any run: who waits so long is answered, where no clock is wrong. */
const patientMs = 3_600_000;

/** Longer than the slowest handler that began before the heal. */
const calmMs = 45_000;

/** Draws who is there: somebody who asks, two who answer, and maybe a third replica of one of them, or of both. */
function drawReplicas(random: SimulatedRandom): PlannedReplica[] {
  const isShared = random.chance(0.3);
  const hasTokens = random.chance(0.3);
  const cast: string[][] = [[askerName], ["ann", "ben"]];
  if (random.chance(0.5)) cast.push(random.pick([[askerName], ["ann"], [askerName, "ben"]]));
  return cast.map((agents, index) => {
    const browser = isShared && index > 0 ? "browser-1" : `browser-${index}`;
    const identity = hasTokens && { identity: { principal: browser, tokenLifeMs: 60_000 } };
    return { name: `replica-${index}`, browser, agents, ...identity };
  });
}

/** A flock whose agents ask each other, in three ways, and answer; a failure is one complaint a line. */
export function requestsScenario(options: RequestsFlockOptions = {}): Scenario<FlockStep> {
  const { steps = 14, tamper = ({ platform }) => platform, keep = (book) => book } = options;
  return defineFlock<AskingMember>((random) => {
    const planned = drawReplicas(random.fork("replicas"));
    const isSkewed = random.chance(0.2);
    const book = keep(createRequestsBook());
    let lives = 0;
    let isHealing = false;
    let world: Simulation;

    const now = (): number => world.now();

    function drawTimeoutMs(draw: SimulatedRandom): number {
      const long = isSkewed ? 100_000 : patientMs;
      return draw.chance(0.5) ? long : draw.pick([300, 2_000, 20_000]);
    }

    /** Asks in one of three ways. */
    function ask(
      kind: QuestionKind,
      agent: Agent,
      { life, replica }: AskingMember,
      draw: SimulatedRandom,
    ): void {
      const isPoll = kind === "poll";
      const timeoutMs = drawTimeoutMs(draw);
      const to = isPoll ? draw.pick(["polls", "*"]) : draw.pick(["ann", "ben"]);
      const stallMs = isPoll && draw.chance(0.3) ? draw.pick([500, 5_000]) : Number.POSITIVE_INFINITY;
      const max = isPoll && draw.chance(0.3) ? draw.between(1, 2) : Number.POSITIVE_INFINITY;
      const deadline = replica.clock.now() + timeoutMs;
      const question = book.ask({ kind, to, life, askedAt: now(), timeoutMs, deadline, stallMs, max });
      const controller = new AbortController();
      const { signal } = controller;
      const reason = new Error("taken back");
      if (draw.chance(0.25)) {
        replica.clock.after(draw.pick([0, 100, 1_000, 5_000]), () => {
          if (question.outcome !== undefined) return;
          question.isTakenBack = true;
          controller.abort(reason);
        });
      }

      async function run(): Promise<void> {
        const { number } = question;
        if (kind === "call") {
          const content = await agent.service(answers, { to }).to(number, { timeoutMs, signal });
          book.gave(question, { id: "answer", content }, now());
          return;
        }
        const message = { ...(to === "polls" ? { topic: to } : { to }), type: "QUERY", content: number };
        if (kind === "request") {
          book.gave(question, await agent.request(message, { timeoutMs, signal }), now());
          return;
        }
        const stall = Number.isFinite(stallMs) ? { stallMs } : {};
        const replies = agent.requestMany(message, { totalMs: timeoutMs, max, signal, ...stall });
        for await (const reply of replies) {
          book.gave(question, reply, now());
          if (!draw.chance(0.05)) continue;
          question.isTakenBack = true;
          throw reason;
        }
      }

      run().then(
        () => book.ended(question, "answered", now(), replica.clock.now()),
        (failure: unknown) => book.ended(question, outcomeOf(failure, reason), now(), replica.clock.now()),
      );
    }

    const act = (kind: QuestionKind) => (member: AskingMember, draw: SimulatedRandom) => {
      for (const agent of member.askers) ask(kind, agent, member, draw);
    };

    function problems(): void {
      if (book.complaints.length > 0) throw new Error([...new Set(book.complaints)].join("\n"));
    }

    return {
      replicas: planned,
      steps,
      faults: { ...requestFaults, ...(isSkewed && { skew: 4 }), ...options.faults },
      weights: { request: 30, poll: 20, call: 30, ...options.weights },
      paceMs: random.pick([300, 1_500]),
      world: {
        latency: { networkMs: random.pick([15, 80, 400]), diskMs: random.pick([2, 12, 120]) },
      },
      acts: { request: act("request"), poll: act("poll"), call: act("call") },
      async open(replica, { simulation, name }) {
        world = simulation;
        const life: Life = { name: `${name} life ${++lives}`, isClosed: false };
        const agents = planned.find((each) => each.name === name)?.agents ?? [];
        const member = await openAskingMember(replica, {
          agents,
          life,
          book,
          tamper,
          random: simulation.random.fork(`member ${life.name}`),
          answers: options.answers ?? (() => true),
          mayFail: () => !isHealing,
        });
        const close = member.room.close;
        return {
          ...member,
          room: {
            ...member.room,
            close() {
              life.isClosed = true;
              return close();
            },
          },
        };
      },
      watch: problems,
      async check(members) {
        if (!isHealing) {
          isHealing = true;
          await world.advance(calmMs);
        }
        problems();
        const found = complaintsOf(book, members);
        if (found.length > 0) throw new Error([...new Set(found)].join("\n"));
      },
    };
  });
}

/** What must not be of what was asked, once all is well. */
function complaintsOf(book: RequestsBook, members: readonly AskingMember[]): string[] {
  const [first] = members;
  if (!first) return [];
  const alive = new Set(members.map(({ life }) => life));
  const replies = repliesIn(first.room);
  return book.questions.flatMap((question) => [
    ...waiting(question, alive.has(question.life), replies.get(question.number) ?? []),
    ...silent(book, question, replies.get(question.number) ?? []),
  ]);
}

/** The ids of the replies to each question that are in the lanes. */
function repliesIn(room: Room): Map<number, string[]> {
  const messages = room.messages.get();
  const numbers = new Map(
    messages.flatMap(({ role, id, content }) =>
      role === "request" && typeof content === "number" ? [[id, content] as const] : [],
    ),
  );
  const replies = new Map<number, string[]>();
  for (const { role, parent, id } of messages) {
    const number = role === "reply" && parent !== undefined ? numbers.get(parent) : undefined;
    if (number !== undefined) replies.set(number, [...(replies.get(number) ?? []), id]);
  }
  return replies;
}

/** A question that nobody answers, and of which nobody says so. */
function* waiting(question: Question, isAlive: boolean, replies: readonly string[]): Iterable<string> {
  const { number, kind, outcome, timeoutMs, replies: given } = question;
  if (outcome !== undefined || !isAlive) return;
  if (kind !== "poll" || timeoutMs < patientMs) yield `The ${kind} ${number} still waits`;
  for (const id of replies) if (!given.includes(id)) yield `The poll ${number} was not given ${id}`;
  if (replies.length === 0 && question.to === "*") yield `Nobody replied to the poll ${number}`;
}

/** Replies of which nobody was told. */
function* silent(book: RequestsBook, question: Question, replies: readonly string[]): Iterable<string> {
  const { number, kind, outcome, stallMs, max, replies: given, isTakenBack } = question;
  const isServed =
    kind === "poll"
      ? outcome === "answered" && (Number.isFinite(stallMs) || Number.isFinite(max))
      : outcome === "answered" || outcome === "messaging/request-failed";
  const isLeft = kind === "poll" && isTakenBack;
  if (isServed || isLeft) return;
  for (const id of replies) {
    if (!given.includes(id) && !book.isLate(id)) {
      yield `The reply ${id} to the ${kind} ${number} (${outcome ?? "of a life that ended"}) was lost in silence`;
    }
  }
}
