import type { Agent, DeadLetter, DeliveryStatus, HistoryRecord } from "../../src/index.ts";
import {
  defineFlock,
  type FaultMix,
  type FlockStep,
  type Scenario,
  type SimulatedRandom,
  type Simulation,
} from "../../src/testing/index.ts";
import type { Tamper } from "./member.ts";
import { createMessagesBook, type MessagesBook } from "./messages-book.ts";
import { type Hands, type MessagesMember, openMessagesMember } from "./messages-member.ts";
import { complaintsOf, sharedBy } from "./messages-outcome.ts";
import { drawMessagesPlan, messageFaults } from "./messages-plan.ts";

export interface MessagesFlockOptions {
  /** What differs from `messageFaults`. */
  faults?: FaultMix;
  /** Default 26. */
  steps?: number;
  tamper?: Tamper;
  hands?: Hands;
  /** Given the book of each run, before it begins. */
  onBook?(book: MessagesBook): void;
}

/** Problems that are to be. */
const expected = /^(messaging\/(handler-failed|dead-letter)|refstore\/unavailable)$/;
/** Longer than a share takes to settle with those who have just come. */
const calmMs = 3_000;
/** Longer than sealing rests after an opening. */
const sealingMs = 75_000;
const redrives = 2;

/** A flock whose handlers do all that handlers may; a failure is one complaint a line. */
export function messagesScenario(options: MessagesFlockOptions = {}): Scenario<FlockStep> {
  const { steps = 26, hands = {}, tamper = ({ platform }) => platform, onBook = () => {} } = options;
  return defineFlock<MessagesMember>((random) => {
    const plan = drawMessagesPlan(random.fork("plan"));
    const book = createMessagesBook();
    onBook(book);
    const conduct = String(random.below(1_000_000));
    const present = new Set(plan.members.filter(({ isLate }) => !isLate).map(({ name }) => name));
    let world: Simulation | undefined;
    let counter = 0;
    let lives = 0;
    let phase: "faults" | "healed" | "joined" | "redriven" | "calm" = "faults";
    let problem: unknown;
    let joiner: MessagesMember | undefined;
    const asked: { consumer: string; id: string; since: number }[] = [];

    const memberOptions = {
      plan,
      book,
      seed: conduct,
      tamper,
      hands,
      mayFail: () => phase === "faults" || phase === "healed",
      onProblem(error: { code: string }) {
        if (!expected.test(error.code)) problem ??= error;
      },
    };

    function send({ agent }: MessagesMember, draw: SimulatedRandom): void {
      if (!agent) return;
      for (let count = draw.chance(0.3) ? draw.between(2, 8) : 1; count > 0; count--) {
        agent.send({ ...drawAddress(agent, draw), ...drawFields(draw), type: "STATUS" }).then(
          ({ id }) => book.sent(id),
          () => undefined,
        );
      }
    }

    function drawAddress(agent: Agent, draw: SimulatedRandom): { to: string } | { topic: string } {
      const name = draw.pick(plan.agents);
      return draw.pick([
        { to: name },
        { to: name },
        { to: draw.chance(0.5) ? "*" : agent.writer },
        { topic: draw.pick(["news.local", "news.of.abroad"]) },
        { topic: "work" },
        { topic: "work" },
      ]);
    }

    function drawFields(draw: SimulatedRandom) {
      return {
        priority: draw.pick([0, 4, 4, 9]),
        ...(draw.chance(0.1) && { ttlMs: draw.pick([0, 500, 5_000]) }),
        content: { number: counter++, ...(draw.chance(0.08) && { isCursed: true }) },
      };
    }

    async function redrive({ agent, room }: MessagesMember, draw: SimulatedRandom): Promise<void> {
      const letters = room.deadLetters.get();
      if (!agent || letters.length === 0) return;
      await askAgain(agent, draw.pick(letters));
    }

    async function askAgain(agent: Agent, letter: DeadLetter): Promise<void> {
      book.asked(sharedBy(letter), letter.id);
      const { id } = await agent.redrive(letter);
      book.sent(id);
    }

    /** What a page that goes away does not finish. */
    function letGo(promise: Promise<unknown>): void {
      promise.catch(() => undefined);
    }

    function verify(): void {
      if (problem !== undefined) throw problem;
      const [violation] = book.violations;
      if (violation !== undefined) throw new Error(violation);
    }

    async function historyOf(simulation: Simulation, { room }: MessagesMember): Promise<HistoryRecord[]> {
      const records: HistoryRecord[] = [];
      const read = async (): Promise<void> => {
        for await (const record of room.history({ order: "oldest" })) records.push(record);
      };
      await simulation.until(read());
      return records;
    }

    /** What became of messages that are sealed here. */
    async function statusesOf(
      simulation: Simulation,
      { room }: MessagesMember,
      history: readonly HistoryRecord[],
    ): Promise<Map<string, readonly DeliveryStatus[]>> {
      const sealed = history.filter(({ id, message }) => message && !room.deliveryStatus(id));
      const read = sealed.map(
        async ({ id }) => [id, await room.waitForDelivery(id, { timeoutMs: 500 })] as const,
      );
      return new Map(await simulation.until(Promise.all(read)));
    }

    async function complain(simulation: Simulation, members: readonly MessagesMember[]): Promise<void> {
      const [first] = members;
      if (!first) return;
      const history = await historyOf(simulation, first);
      const sealed = await statusesOf(simulation, first, history);
      const found = [...new Set(complaintsOf({ plan, book, members, history, sealed }))];
      if (found.length > 0) throw new Error(found.join("\n"));
    }

    /** PROP-31: a new tab of every agent, which has nothing left to do. */
    async function join(simulation: Simulation): Promise<void> {
      const before = book.calls;
      const replica = simulation.replica("joiner");
      joiner = await simulation.until(
        openMessagesMember(replica, {
          ...memberOptions,
          name: "joiner",
          agent: "planner",
          life: "joiner",
          reload: () => undefined,
        }),
      );
      await simulation.until(joiner.attend());
      await simulation.advance(calmMs);
      if (book.calls !== before) problem = new Error("what was settled is handled again for a new tab");
    }

    /** PROP-35: some letters are asked for again. */
    async function ask(simulation: Simulation, members: readonly MessagesMember[]): Promise<void> {
      const draw = random.fork("redrives");
      for (let count = 0; count < redrives; count++) {
        const member = draw.pick(members);
        const letters = member.room.deadLetters
          .get()
          .filter(
            (letter) => !asked.some(({ id, consumer }) => id === letter.id && consumer === sharedBy(letter)),
          );
        if (letters.length === 0) return;
        const letter = draw.pick(letters);
        asked.push({ consumer: sharedBy(letter), id: letter.id, since: book.now });
        await simulation.until(askAgain(member.agent as Agent, letter));
      }
    }

    function verifyAsked(): void {
      for (const { consumer, id, since } of asked) {
        const [first] = book.begins(consumer, id).filter(({ at }) => at > since);
        if (!first) throw new Error(`${consumer} was not called again with ${id}`);
        if (first.attempt !== 1) throw new Error(`${consumer} counts on with ${id}: ${first.attempt}`);
      }
    }

    return {
      replicas: plan.members,
      steps,
      faults: { ...messageFaults, ...options.faults },
      weights: { send: 45, toggle: 5, come: 8, go: 2, redrive: 6 },
      paceMs: plan.paceMs,
      world: plan.world,
      acts: {
        send,
        toggle: (member, draw) => member.toggle(draw.below(plan.consumers.length)),
        come(member) {
          present.add(member.name);
          letGo(member.attend());
        },
        go: (member) => letGo(member.retire()),
        redrive: (member, draw) => letGo(redrive(member, draw)),
      },
      async open(replica, { simulation, name, reload }) {
        world = simulation;
        const planned = plan.members.find((member) => member.name === name);
        const member = await openMessagesMember(replica, {
          ...memberOptions,
          name,
          agent: planned?.agent ?? "planner",
          life: `${name} life ${++lives}`,
          reload,
        });
        if (present.has(name)) await member.attend();
        return member;
      },
      watch: verify,
      async check(members) {
        verify();
        const simulation = world as Simulation;
        if (phase === "faults") {
          phase = "healed";
          for (const member of members) await simulation.until(member.attend());
        }
        const all = joiner ? [...members, joiner] : members;
        await complain(simulation, all);
        verifyAsked();
        if (phase === "healed") {
          await join(simulation);
          phase = "joined";
          throw new Error("the new tab was not calm yet");
        }
        if (phase === "joined") {
          phase = "redriven";
          await ask(simulation, all);
          if (asked.length > 0) throw new Error("what was asked for again was not handled yet");
        }
        if (phase === "redriven" && plan.limits) {
          // What was opened a moment ago is sealed some time later.
          await simulation.advance(sealingMs);
          phase = "calm";
          throw new Error("pages were sealed just now");
        }
      },
    };
  });
}
