import type { Entry } from "../../src/crdt/lanes/entry.ts";
import { readMessage } from "../../src/index.ts";
import { parseDocumentName } from "../../src/protocol/index.ts";
import type { Simulation } from "../../src/testing/index.ts";
import type { LaneBook } from "./lanes-book.ts";
import { type LaneMember, type Task, taskOf, tinyLanes } from "./lanes-member.ts";

export interface Outcome {
  simulation: Simulation;
  book: LaneBook;
  members: readonly LaneMember[];
  /** Whether the relay must have no more than what is live. */
  measures: boolean;
}

/** Everything that a healed flock must not show. */
export async function complaintsOf(outcome: Outcome): Promise<string[]> {
  const { simulation, book, members, measures } = outcome;
  const found: string[] = [];
  for (const member of members) {
    found.push(...misfolded(book, member), ...unheard(book, member));
    if (found.length === 0) found.push(...(await lostTasks(simulation, book, member)));
    if (found.length === 0) found.push(...(await misread(simulation, book, member)));
  }
  if (measures && found.length === 0) found.push(...leftovers(simulation, members));
  return found;
}

/** PROP-20, PROP-21: what the views show is the plain fold of everything, with all that was promised. */
function* misfolded(book: LaneBook, { name, transcript, kept, isReady }: LaneMember): Iterable<string> {
  if (!isReady()) yield `${name} is still reading`;
  for (const [which, view] of Object.entries({ transcript, kept })) {
    const shown = view.get("all") ?? [];
    const ids = new Set(shown);
    if (ids.size < shown.length) yield `the ${which} of ${name} has an entry twice`;
    for (const [id, stage] of book.promised()) {
      if (!ids.has(id)) yield `the ${which} of ${name} lacks ${id}, which was settled ${stage}`;
    }
    const want = book.inOrder(ids).map(({ id }) => id);
    if (want.join() !== shown.join()) {
      yield `the ${which} of ${name} is no fold of everything:\n  ${shown.join(" ")}\n  ${want.join(" ")}`;
    }
  }
}

/** What a healed flock must not show whose history is cut: what can be read still was heard, and of the rest a gap tells. */
export async function forgottenOf({ simulation, book, members }: Outcome): Promise<string[]> {
  const found: string[] = [];
  for (const member of members) {
    for (const entry of book.entries()) {
      const { id } = entry;
      if (!book.promised().has(id) || !isFor(member.name, entry) || book.isHandled(member.name, id)) continue;
      if (!book.isSkipped(member.name, entry)) found.push(`${member.name} never heard ${id}, nor of its end`);
    }
    for (const id of await historyOf(simulation, member, "oldest")) {
      const entry = book.get(id);
      if (!entry || !isFor(member.name, entry) || book.isHandled(member.name, id)) continue;
      found.push(`${member.name} never heard ${id}, which it can read still`);
    }
  }
  return found;
}

/** PROP-24: what is shown as delivered and was neither handled nor said to be lost. */
export function* undeliveredOf(book: LaneBook, { messages }: LaneMember): Iterable<string> {
  for (const { id, to, stage } of messages.get()) {
    const entry = book.get(id);
    if (to === undefined || stage !== "delivered" || !entry) continue;
    if (!book.isHandled(to, id) && !book.isSkipped(to, entry)) yield `${id} counts as delivered to ${to}`;
  }
}

/** Whether an agent is to hear of an entry. */
function isFor(name: string, entry: Entry): boolean {
  const message = readMessage(entry);
  if (message?.topic === "talk") return message.from.split(".")[1] !== name;
  return message?.to === name;
}

/** What the member's agent was to hear and did not. */
function* unheard(book: LaneBook, { name, transcript }: LaneMember): Iterable<string> {
  if (name === "joiner") return;
  for (const id of transcript.get("all") ?? []) {
    const entry = book.get(id);
    if (entry && isFor(name, entry) && !book.isHandled(name, id)) yield `${name} never heard ${id}`;
  }
}

async function historyOf(
  simulation: Simulation,
  { room }: LaneMember,
  order: "oldest" | "newest",
): Promise<string[]> {
  const ids: string[] = [];
  const read = async (): Promise<void> => {
    for await (const { id } of room.history({ order })) ids.push(id);
  };
  await simulation.until(read());
  return ids;
}

/** PROP-21: history, either way, is everything; in its order, unless a clock that was put back parts a lane from it. */
async function misread(simulation: Simulation, book: LaneBook, member: LaneMember): Promise<string[]> {
  const entries = book.inOrder(member.transcript.get("all") ?? []);
  const isAlong = new Map<string, number>();
  const isSteady = entries.every(({ writer, page }) => {
    const last = isAlong.get(writer) ?? 0;
    isAlong.set(writer, page.number);
    return page.number >= last;
  });
  const textOf = (ids: readonly string[]): string => (isSteady ? ids : [...ids].sort()).join(" ");
  const want = textOf(entries.map(({ id }) => id));
  const found: string[] = [];
  for (const order of ["oldest", "newest"] as const) {
    const ids = await historyOf(simulation, member, order);
    const read = textOf(order === "oldest" ? ids : ids.reverse());
    if (read !== want) found.push(`the history of ${member.name} is not everything:\n  ${read}\n  ${want}`);
  }
  return found;
}

/** PROP-22: tasks whose state, wherever it has to be found, lacks a part. */
async function lostTasks(simulation: Simulation, book: LaneBook, member: LaneMember): Promise<string[]> {
  const shown = new Set(member.transcript.get("all"));
  const want = new Map<string, Record<string, string>>();
  for (const entry of book.inOrder(shown)) {
    const said = taskOf(readMessage(entry));
    if (said) want.set(said.task, { ...want.get(said.task), [said.part]: entry.id });
  }
  const found: string[] = [];
  for (const [key, parts] of want) {
    const inMemory = member.tasks.get(key);
    const state = await simulation.until(member.tasks.fetch(key));
    const wanted = JSON.stringify(Object.entries(parts).sort());
    for (const task of [state, ...(inMemory ? [inMemory] : [])]) {
      if (partsOf(task) !== wanted) {
        found.push(`${member.name} has of ${key} only ${partsOf(task)}, not ${wanted}`);
      }
    }
  }
  return found;
}

const partsOf = (task: Task | undefined): string => JSON.stringify(Object.entries(task?.parts ?? {}));

/** PROP-26: documents at the relay past the live window of a lane that is written. */
function* leftovers({ relay }: Simulation, members: readonly LaneMember[]): Iterable<string> {
  const written = new Set(members.map(({ agent }) => agent.writer));
  const lanes = new Map<string, number>();
  for (const { name } of relay.administer("lab").documents(0, 10_000)) {
    const parsed = parseDocumentName(name);
    if (parsed.kind !== "lane" || !written.has(parsed.writer)) continue;
    lanes.set(parsed.writer, (lanes.get(parsed.writer) ?? 0) + 1);
  }
  for (const [writer, pages] of lanes) {
    if (pages > tinyLanes.livePages) yield `the relay has ${pages} pages of ${writer}`;
  }
}
