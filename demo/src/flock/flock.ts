import type { Agent } from "flockstate";
import { startAnalyst } from "./analyst.ts";
import { agentName } from "./names.ts";
import type { Pace } from "./pace.ts";
import { type Planner, startPlanner } from "./planner.ts";
import type { FlockRoom } from "./state.ts";
import { startWriter } from "./writer.ts";

/** The three agents that work in this browser. */
export interface Flock {
  readonly planner: Planner;
  readonly agents: { readonly planner: Agent; readonly analyst: Agent; readonly writer: Agent };
}

/** Opens this browser's agents and sets them to work. */
export async function startFlock(room: FlockRoom, suffix: string, pace: Pace): Promise<Flock> {
  const [planner, analyst, writer] = await Promise.all([
    room.agent(agentName("planner", suffix), { capabilities: ["plan"] }),
    room.agent(agentName("analyst", suffix), { capabilities: ["analyse"] }),
    room.agent(agentName("writer", suffix), { capabilities: ["write"] }),
  ]);
  startAnalyst(room, analyst, pace);
  startWriter(room, writer);
  return { planner: startPlanner(room, planner, writer.name), agents: { planner, analyst, writer } };
}
