import type { Agent } from "flockstate";
import { startAnalyst } from "./analyst.ts";
import { agentName } from "./names.ts";
import type { Pace } from "./pace.ts";
import { type Planner, startPlanner } from "./planner.ts";
import { followSaid, type Said } from "./said.ts";
import type { FlockRoom } from "./state.ts";
import { startWriter } from "./writer.ts";

/** The three agents that work in this browser. */
export interface Flock {
  readonly planner: Planner;
  readonly said: Said;
  readonly agents: { readonly planner: Agent; readonly analyst: Agent; readonly writer: Agent };
}

/** Opens this browser's agents and sets them to work. */
export async function startFlock(room: FlockRoom, suffix: string, pace: Pace): Promise<Flock> {
  const [planner, analyst, writer] = await Promise.all([
    room.agent(agentName("planner", suffix), { capabilities: ["plan"] }),
    room.agent(agentName("analyst", suffix), { capabilities: ["analyse"] }),
    room.agent(agentName("writer", suffix), { capabilities: ["write"] }),
  ]);
  const said = followSaid(room);
  startAnalyst(room, analyst, pace);
  startWriter(room, writer, said);
  return {
    planner: startPlanner({ room, said, agent: planner, summariser: writer.name }),
    said,
    agents: { planner, analyst, writer },
  };
}
