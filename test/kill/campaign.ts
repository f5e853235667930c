import { setTimeout as idle } from "node:timers/promises";
import { createRandom, type Random } from "../protocol/gate/random.ts";
import type { Life, RelayInDanger } from "./relay-in-danger.ts";
import { createRoomInDanger, type RoomInDanger } from "./room-in-danger.ts";

/** When a life of the relay ends: at a step, or after a while. */
export type Death =
  | {
      step: string;
      /** The how manieth time that the step is reached. */
      hits: number;
      when: Phase;
    }
  | { afterMs: number };

/** It opens a room for the first time; comes back to one; serves many small writes; compacts few large ones. */
export const phases = ["creating", "recovering", "busy", "bulky"] as const;

/** What a life of the relay is about. */
export type Phase = (typeof phases)[number];

/** Every step that a life reaches in each phase, with how often. */
export type Survey = Record<Phase, Record<string, number>>;

/** What came of a campaign. */
export interface Outcome {
  kills: number;
  /** Kills by their step; `any moment` for the others. */
  killedAt: Map<string, number>;
  /** What is broken, with the death that preceded it; the campaign ends with the first. */
  broken: string[];
}

/** Deaths that one room sees: enough to pile up, few enough that a look at all of it stays cheap. */
const deathsPerRoom = 10;
/** Relays that live side by side: much of a life is waiting, for a compaction above all. */
const relays = 4;
/** A step that has not come by then is not waited for: the life ends at any moment. */
const patienceMs = 4_000;
const surveyMs = { busy: 400, bulky: 3_500 };

/** Kills relays over and over under load, and judges their rooms after each kill. */
export async function runCampaign(
  relay: RelayInDanger,
  deaths: Iterable<Death>,
  { seed, name }: { seed: number; name: string },
): Promise<Outcome> {
  const outcome: Outcome = { kills: 0, killedAt: new Map(), broken: [] };
  const next = deaths[Symbol.iterator]();
  const work = Array.from({ length: relays }, (_, number) =>
    endure(relay, number, { next, outcome, random: createRandom(seed + number), name: `${name}-${number}` }),
  );
  await Promise.all(work);
  return outcome;
}

/** One relay's part of a campaign: the deaths that are left, until something is broken. */
async function endure(
  relay: RelayInDanger,
  number: number,
  { next, outcome, random, name }: { next: Iterator<Death>; outcome: Outcome; random: Random; name: string },
): Promise<void> {
  const rooms: RoomInDanger[] = [];
  let before = "its start";
  let deathsOfRoom = deathsPerRoom;
  while (outcome.broken.length === 0) {
    const { value: death, done } = next.next();
    if (done) break;
    if (deathsOfRoom >= deathsPerRoom || ("step" in death && death.when === "creating")) {
      rooms.push(createRoomInDanger(`${name}-${rooms.length}`, random));
      deathsOfRoom = 0;
    }
    const room = rooms.at(-1)!;
    const life = await relay.start({ relay: number });
    const broken = await live(life, room, death);
    await life.kill();
    await room.settle();
    outcome.broken.push(...broken.map((each) => `${room.id} after ${before}: ${each}`));
    if (broken.length > 0) return;
    before = life.diedAt ?? "any moment";
    outcome.kills++;
    outcome.killedAt.set(before, (outcome.killedAt.get(before) ?? 0) + 1);
    deathsOfRoom++;
  }
  const last = await relay.start({ relay: number });
  for (const room of rooms) {
    const broken = await examine(last, room);
    outcome.broken.push(...(broken.length > 0 ? broken : await room.conclude(last.url)));
  }
  await last.kill();
}

/** Lives without a death, to see which steps there are. */
export async function surveySteps(relay: RelayInDanger, seed: number): Promise<Survey> {
  const room = createRoomInDanger("survey", createRandom(seed));
  const survey: Survey = { creating: {}, recovering: {}, busy: {}, bulky: {} };
  for (const [opening, loading] of [
    ["creating", "busy"],
    ["recovering", "bulky"],
  ] as const) {
    const life = await relay.start();
    await life.arm("none", 1);
    await room.examine(life.url);
    survey[opening] = await life.counts();
    await life.arm("none", 1);
    let ended = false;
    const loaded = room.load(life.url, { kind: loading, ended: () => ended });
    await idle(surveyMs[loading]);
    survey[loading] = await life.counts();
    ended = true;
    await life.kill();
    await loaded;
    await room.settle();
  }
  return survey;
}

/** One life: the room is examined, then loaded until the death comes. */
async function live(life: Life, room: RoomInDanger, death: Death): Promise<string[]> {
  const when = "step" in death ? death.when : "busy";
  const atOnce = when === "creating" || when === "recovering";
  const arm = async () => {
    if ("step" in death) await life.arm(death.step, death.hits);
  };
  if (atOnce) await arm();
  const broken = await examine(life, room);
  if (life.diedAt !== undefined || broken.length > 0) return broken;
  if (!atOnce) await arm();
  let ended = false;
  const loaded = room.load(life.url, { kind: atOnce ? "busy" : when, ended: () => ended });
  await Promise.race([life.over, idle("step" in death ? patienceMs : death.afterMs)]);
  ended = true;
  await life.kill();
  await loaded;
  return [];
}

/** What is broken in a room; a relay that died meanwhile, as it was told to, breaks nothing by that. */
async function examine(life: Life, room: RoomInDanger): Promise<string[]> {
  try {
    return await room.examine(life.url);
  } catch (cause) {
    return life.diedAt === undefined ? [`KILL-5: the room does not go on. ${String(cause)}`] : [];
  }
}
