import type { Room } from "../../room/index.ts";
import type { Simulation } from "../simulation/simulation.ts";
import { differencesBetween, type RoomReader, type RoomSnapshot, snapshotOf } from "./snapshot.ts";

export interface SettleOptions {
  /** What the rooms must agree on besides state, messages and agents, by name. */
  views?: Readonly<Record<string, RoomReader>>;
  /** What else must hold: it throws until it does. */
  check?(): unknown;
  /** False where the relay stays away: then nothing reaches it, and writes may be pending. Default true. */
  relay?: boolean;
  /** How long it may take, of virtual time. Default five minutes. */
  limitMs?: number;
  /** How long it must last. Default 3,000. */
  calmMs?: number;
}

const lookEveryMs = 500;

/**
 * Heals everything and waits until the rooms are quiet and equal: online, nothing pending, and the same state, messages,
 * agents and views; then it waits on, and they must be so still. Every room goes to the network, unless `relay` is false.
 *
 * @returns what they show in the end.
 * @throws Error that says of each difference what it is and between whom; what `check` throws last.
 * @example
 * ```ts
 * const relay = { createStorage: createInMemoryStorage, createCore: createRoomCore };
 * const simulation = createSimulation({ seed: 7, relay });
 * const state = { log: list<string>() };
 * const open = (name: string) => simulation.until(simulation.replica(name).open("lab", { state }));
 * const rooms = { alice: await open("alice"), bob: await open("bob") };
 * simulation.relay.crash();
 * rooms.alice.state.log.push("written while the relay was down");
 * const { state: agreed } = await settle(simulation, rooms);
 * agreed.log; // ["written while the relay was down"]
 * await simulation.close();
 * ```
 */
export async function settle(
  simulation: Simulation,
  rooms: Readonly<Record<string, Room>>,
  { views = {}, check = () => {}, relay = true, limitMs = 300_000, calmMs = 3_000 }: SettleOptions = {},
): Promise<RoomSnapshot> {
  simulation.heal();
  if (!relay) simulation.relay.crash();
  else for (const room of Object.values(rooms)) room.connect();
  const [first] = Object.values(rooms);
  if (!first) throw new RangeError("There are no rooms to settle.");

  const complaints = (): string[] => unsettled(rooms, { views, relay });
  const verify = async (): Promise<void> => {
    const found = complaints();
    if (found.length > 0) throw new Error(found.join("\n"));
    await check();
  };
  const end = simulation.now() + limitMs;
  for (;;) {
    await simulation.advance(lookEveryMs);
    try {
      await verify();
      break;
    } catch (failure) {
      if (simulation.now() >= end) throw failure;
    }
  }
  await simulation.advance(calmMs);
  await verify();
  return snapshotOf(first, views);
}

/** What keeps rooms from being settled, one complaint a line; empty where they are. */
export function unsettled(
  rooms: Readonly<Record<string, Room>>,
  { views = {}, relay = true }: Pick<SettleOptions, "views" | "relay"> = {},
): string[] {
  const named = Object.entries(rooms).map(([name, room]) => ({ name, snapshot: snapshotOf(room, views) }));
  const [first, ...others] = named;
  return [
    ...Object.entries(rooms).flatMap(([name, room]) => (relay ? unsent(name, room) : [])),
    ...named.flatMap(({ name, snapshot }) => unsound(name, snapshot)),
    ...(first ? others.flatMap((other) => differencesBetween(first, other)) : []),
  ];
}

/** What a room must not show, whatever the others do. */
function unsound(name: string, { messages }: RoomSnapshot): string[] {
  const ids = messages.map(({ id }) => id);
  return new Set(ids).size === ids.length ? [] : [`${name} lists a message twice`];
}

function unsent(name: string, room: Room): string[] {
  const { network, pending } = room.status.get();
  return [
    ...(network === "online" ? [] : [`${name} is ${network}`]),
    ...(pending === 0 ? [] : [`${name} has ${pending} writes pending`]),
  ];
}
