import { describe, expect, it } from "vitest";
import * as z from "zod";
import { type Agent, defineService, type Room } from "../../src/index.ts";
import { createSimulation, type SimulatedReplica, type Simulation } from "../../src/testing/index.ts";
import { isCaught } from "./faults.ts";
import { relayCode } from "./flock.ts";
import { forSeeds, seedsFor } from "./seeds.ts";

const squares = defineService("squares", { square: { input: z.number(), output: z.number() } });

/** How one question ended. */
interface Ending {
  readonly asked: number;
  readonly kind: "request" | "call";
  readonly isPatient: boolean;
  outcome?: unknown;
  count: number;
}

interface Behaviour {
  /** Whether a server answers a question; for the control. */
  answers(asked: number): boolean;
}

const patientMs = 3_600_000;

/** Serves squares, as messages and as a service. */
function serveSquares(agent: Agent, { answers }: Behaviour): void {
  agent.onMessage({ type: "QUERY" }, async ({ content }, { respond }) => {
    if (answers(Number(content))) await respond(Number(content) ** 2);
  });
  agent.serve(squares, { square: (value) => value ** 2 });
}

/** Asks once, in one way or the other; what becomes of it is noted each time that it is told. */
function ask(agent: Agent, ending: Ending): void {
  const { asked, kind, isPatient } = ending;
  const options = { timeoutMs: isPatient ? patientMs : 2_000 };
  const answered =
    kind === "call"
      ? agent.service(squares, { to: "server" }).square(asked, options)
      : agent
          .request({ to: "server", type: "QUERY", content: asked }, options)
          .then(({ content }) => content);
  const end = (outcome: unknown): void => {
    ending.outcome = outcome;
    ending.count++;
  };
  answered.then(end, (failure: { code?: string }) => end(failure.code));
}

/** Questions under cuts, partitions and crashes of the server; then all heals. */
async function playQuestions(
  seed: number,
  behaviour: Behaviour = { answers: () => true },
): Promise<Ending[]> {
  const simulation: Simulation = createSimulation({ seed, relay: relayCode });
  try {
    const wait = <T>(promise: Promise<T>): Promise<T> => simulation.until(promise);
    const { random } = simulation;
    let server: SimulatedReplica = simulation.replica("server");
    const serve = async (): Promise<Room> => {
      const room = await wait(server.open("lab"));
      serveSquares(await wait(room.agent("server")), behaviour);
      return room;
    };
    await serve();
    const client = simulation.replica("client");
    const room = await wait(client.open("lab"));
    const agent = await wait(room.agent("asker"));
    const endings: Ending[] = [];
    for (let step = 0; step < 40; step++) {
      const fate = random.below(12);
      if (fate < 6) {
        const kind = random.chance(0.6) ? "call" : "request";
        const ending: Ending = { asked: endings.length, kind, isPatient: random.chance(0.7), count: 0 };
        endings.push(ending);
        ask(agent, ending);
      } else if (fate === 6) random.pick([server, client]).cut();
      else if (fate === 7) random.pick([server, client]).partition();
      else if (fate < 10) {
        server.heal();
        client.heal();
      } else if (fate === 10) {
        server.crash();
        server = simulation.replica("server");
        await serve();
      }
      await simulation.advance(random.between(1, 3_000));
    }
    simulation.heal();
    await simulation.advance(300_000);
    return endings;
  } finally {
    await simulation.close();
  }
}

/** What has to hold of every question. */
function judge(endings: readonly Ending[]): void {
  for (const { asked, kind, isPatient, outcome, count } of endings) {
    const what = `${kind} ${asked}`;
    if (count !== 1) throw new Error(`${what} ended ${count} times.`);
    const isRight = outcome === asked ** 2 || (!isPatient && outcome === "messaging/expired");
    if (!isRight) throw new Error(`${what} ended with ${outcome}.`);
  }
}

describe("questions under faults", () => {
  forSeeds(
    "REQ-30 each ends once: with its answer, or at a deadline that passed before",
    seedsFor(40),
    async (seed) => {
      const endings = await playQuestions(seed);
      expect(endings.length).toBeGreaterThan(5);
      judge(endings);
    },
  );

  it("REQ-30 control: a server that leaves a question without an answer is caught", async () => {
    const lazy: Behaviour = { answers: (asked) => asked % 4 !== 0 };
    expect(await isCaught(/ended 0 times/, 20, async (seed) => judge(await playQuestions(seed, lazy)))).toBe(
      true,
    );
  });
});
