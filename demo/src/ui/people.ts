import type { AgentInfo } from "flockstate";
import { birdOf, hueOf, type Role, readAgentName, roles } from "../flock/names.ts";
import type { FlockRoom } from "../flock/state.ts";
import type { Watchable } from "./watch.ts";

/** One browser: the person at it and the agents in it. */
export interface Browser {
  readonly suffix: string;
  readonly name: string;
  readonly hue: number;
  readonly isYou: boolean;
  /** How many of its tabs are here. */
  readonly tabs: number;
  readonly isWriting: boolean;
  readonly agents: readonly { name: string; role: Role; capabilities: readonly string[]; online: boolean }[];
}

/** What a tab tells the others about the person at it. */
export interface PersonState {
  readonly suffix: string;
  readonly isWriting: boolean;
}

/** Who is here, seen through presence. */
export interface People extends Watchable {
  list(): Browser[];
  setWriting(isWriting: boolean): void;
}

/** Announces this browser's person and lists everybody's. */
export function createPeople(room: FlockRoom, suffix: string): People {
  const announce = (isWriting: boolean) =>
    room.awareness.setLocalStateField("person", { suffix, isWriting } satisfies PersonState);
  announce(false);

  return {
    list() {
      const people = [...room.awareness.getStates().values()].map(readPerson).filter((p) => p !== undefined);
      return listBrowsers(room.agents.get(), people, suffix);
    },
    setWriting: announce,
    subscribe(listener) {
      room.awareness.on("change", listener);
      const undo = room.agents.subscribe(listener);
      return () => {
        room.awareness.off("change", listener);
        undo();
      };
    },
  };
}

/** Joins agents and people by browser: one's own first, then those that are here, then those that are away. */
export function listBrowsers(
  agents: readonly AgentInfo[],
  people: readonly PersonState[],
  own: string,
): Browser[] {
  const named = agents.flatMap((agent) => {
    const parts = readAgentName(agent.name);
    return parts === undefined ? [] : [{ ...agent, ...parts }];
  });
  const suffixes = [...new Set([...named, ...people].map(({ suffix }) => suffix))];
  const browsers = suffixes.map((suffix): Browser => {
    const here = people.filter((person) => person.suffix === suffix);
    return {
      suffix,
      name: birdOf(suffix),
      hue: hueOf(suffix),
      isYou: suffix === own,
      tabs: here.length,
      isWriting: here.some(({ isWriting }) => isWriting),
      agents: roles.flatMap((role) => {
        const writers = named.filter((agent) => agent.suffix === suffix && agent.role === role);
        const [first] = writers;
        if (first === undefined) return [];
        const { name, capabilities } = first;
        return [{ name, role, capabilities, online: writers.some(({ online }) => online) }];
      }),
    };
  });
  const rank = ({ isYou, agents, tabs }: Browser) =>
    isYou ? 0 : tabs > 0 || agents.some(({ online }) => online) ? 1 : 2;
  return browsers.sort((a, b) => rank(a) - rank(b) || (a.suffix < b.suffix ? -1 : 1));
}

function readPerson(state: unknown): PersonState | undefined {
  const person: unknown =
    typeof state === "object" && state !== null ? Reflect.get(state, "person") : undefined;
  if (typeof person !== "object" || person === null) return undefined;
  const suffix: unknown = Reflect.get(person, "suffix");
  return typeof suffix === "string"
    ? { suffix, isWriting: Reflect.get(person, "isWriting") === true }
    : undefined;
}
