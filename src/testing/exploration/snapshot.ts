import type { Room } from "../../room/index.ts";

/** What a room shows, as data. */
export interface RoomSnapshot {
  /** The values of the shared state, by part. */
  state: Readonly<Record<string, unknown>>;
  /** Every message, in the room's order. */
  messages: readonly { id: string; from: string; content: unknown; delivered: boolean }[];
  /** Every agent that joined, as `principal.name`, in the order of the names. */
  agents: readonly string[];
  /** What else was asked for: views, by name. */
  views: Readonly<Record<string, unknown>>;
}

/** Reads something of a room that all replicas must come to agree on, for instance the states of a view. */
export type RoomReader = (room: Room) => unknown;

/** Reads what a room shows now. */
export function snapshotOf(room: Room, views: Readonly<Record<string, RoomReader>> = {}): RoomSnapshot {
  const handles = Object.entries(room.state as Record<string, { get(): unknown }>);
  return {
    state: Object.fromEntries(handles.map(([part, handle]) => [part, handle.get()])),
    messages: room.messages.get().map(({ id, from, content, reference, stage }) => ({
      id,
      from,
      content: reference ?? content,
      // How far one has come besides, its own device alone knows.
      delivered: stage === "delivered",
    })),
    agents: [...new Set(room.agents.get().map(({ principal, name }) => `${principal}.${name}`))].sort(),
    views: Object.fromEntries(Object.entries(views).map(([name, read]) => [name, read(room)])),
  };
}

/** A snapshot and whose it is. */
export interface NamedSnapshot {
  name: string;
  snapshot: RoomSnapshot;
}

/**
 * What two rooms do not agree on, one difference a line: parts of the state, messages that one lacks or shows in another
 * order, their contents and whether they are delivered, agents, views. Empty where they agree.
 */
export function differencesBetween(left: NamedSnapshot, right: NamedSnapshot): string[] {
  return [
    ...differentParts("state", left, right, ({ state }) => state),
    ...differentParts("view", left, right, ({ views }) => views),
    ...differentMessages(left, right),
    ...differentParts("list of", left, right, ({ agents }) => ({ agents })),
  ];
}

function* differentParts(
  what: string,
  left: NamedSnapshot,
  right: NamedSnapshot,
  read: (snapshot: RoomSnapshot) => Readonly<Record<string, unknown>>,
): Iterable<string> {
  const [ours, theirs] = [read(left.snapshot), read(right.snapshot)];
  for (const part of new Set([...Object.keys(ours), ...Object.keys(theirs)])) {
    const [one, other] = [JSON.stringify(ours[part]), JSON.stringify(theirs[part])];
    if (one !== other) yield `the ${what} ${part} differs:\n  ${left.name} ${one}\n  ${right.name} ${other}`;
  }
}

function* differentMessages(left: NamedSnapshot, right: NamedSnapshot): Iterable<string> {
  const ours = new Map(left.snapshot.messages.map((message) => [message.id, message]));
  const theirs = new Map(right.snapshot.messages.map((message) => [message.id, message]));
  yield* lacking(right.name, theirs, ours);
  yield* lacking(left.name, ours, theirs);
  const common = (of: ReadonlyMap<string, unknown>, other: ReadonlyMap<string, unknown>) =>
    [...of.keys()].filter((id) => other.has(id)).join(" ");
  if (common(ours, theirs) !== common(theirs, ours)) {
    yield `${left.name} and ${right.name} show messages in another order`;
  }
  for (const [id, message] of ours) {
    const other = theirs.get(id);
    if (other && JSON.stringify(other) !== JSON.stringify(message)) {
      yield `the message ${id} differs:\n  ${left.name} ${JSON.stringify(message)}\n  ${right.name} ${JSON.stringify(other)}`;
    }
  }
}

function* lacking(
  name: string,
  has: ReadonlyMap<string, unknown>,
  wanted: ReadonlyMap<string, unknown>,
): Iterable<string> {
  const missing = [...wanted.keys()].filter((id) => !has.has(id));
  if (missing.length > 0) yield `${name} lacks ${missing.join(" ")}`;
}
