import type { Room } from "../../src/index.ts";
import type { Scenario, SimulatedRandom } from "../../src/testing/index.ts";

/** A message that is sent to the crew after a pause. */
export interface CrewStep {
  afterMs: number;
  /** Who sends it, by number. */
  by: number;
  /** How long its handler takes; 0 for one that does not wait. */
  takesMs: number;
}

const messages = 12;
/** Longer than it takes until each knows who else is there. */
const calmMs = 5_000;

/** A group of agents and tabs, to which nothing happens: each message is handled once. */
export function crewScenario(): Scenario<CrewStep> {
  return {
    plan(random: SimulatedRandom) {
      const draw = random.fork("plan");
      return Array.from({ length: messages }, () => ({
        afterMs: draw.pick([0, 0, 20, 300]),
        by: draw.below(10),
        takesMs: draw.pick([0, 0, 50, 1_500]),
      }));
    },
    async play(simulation, steps) {
      const random = simulation.random.fork("crew");
      const handled = new Map<string, string[]>();
      const order = random.pick(["lane", "none"] as const);
      const names = ["ann", "bob", "ann", "cem"].slice(0, random.between(2, 4));

      async function open(name: string, index: number) {
        const browser = index > 0 && random.chance(0.4) ? "browser-0" : `browser-${index}`;
        const replica = simulation.replica(`m${index}`, { browser });
        const room: Room = await replica.open("lab");
        const agent = await room.agent(name);
        agent.onMessage(
          { topic: "work" },
          ({ id, content }) => {
            handled.set(id, [...(handled.get(id) ?? []), agent.writer]);
            const { takesMs } = content as { takesMs: number };
            return takesMs === 0
              ? undefined
              : new Promise<void>((done) => void replica.clock.after(takesMs, done));
          },
          { group: "crew", consumer: "work", order, maxInFlight: random.pick([1, 4, 256]) },
        );
        return agent;
      }

      const agents = [];
      for (const [index, name] of names.entries()) agents.push(await simulation.until(open(name, index)));
      await simulation.advance(calmMs);
      const sent: string[] = [];
      for (const { afterMs, by, takesMs } of steps) {
        await simulation.advance(afterMs);
        const agent = agents[by % agents.length];
        if (!agent) continue;
        const { id } = await simulation.until(
          agent.send({ topic: "work", type: "TASK_REQUEST", content: { takesMs } }),
        );
        sent.push(id);
      }
      await simulation.advance(messages * 2_000 + calmMs);
      for (const id of sent) {
        const by = handled.get(id) ?? [];
        if (by.length !== 1) throw new Error(`${id} was handled ${by.length} times: ${by.join(" ")}`);
      }
    },
  };
}
