import { abortable, isFlockError, type Timestamp } from "../../base/index.ts";
import { type Documents, defineView, type Entry, type View } from "../../crdt/index.ts";
import { agentOf, formatPageName, messageKind, parseEntryId, type Reference } from "../../protocol/index.ts";
import { type Message, readMessage } from "./message.ts";

/** What of a message tells it from others of its key. */
export type KeyedMessage = Pick<Message, "id" | "type" | "to" | "topic"> & {
  readonly reference?: Pick<Reference, "id">;
};

/** Of the messages of a key: another one that a consumer is to handle, or has handled, in place of this one. */
export interface Duplicate {
  readonly of: string;
  /** False: it comes first and has its turn yet. It may fail for good, so this one waits until it is done. */
  readonly isDone: boolean;
}

/**
 * The messages that were sent with an idempotency key, by the sender's agent: every one that the lanes hold, sealed or
 * live, as far as this replica knows them. Opened when it is first asked, and costs nothing before.
 */
export interface IdempotencyIndex {
  /**
   * The first message of an agent with this key; undefined where none is known here. What is not within reach is not
   * waited for.
   *
   * @throws `crdt/closed`, and the signal's reason
   */
  first(agent: string, key: string, signal?: AbortSignal): Promise<KeyedMessage | undefined>;
  /**
   * The message in place of which a consumer passes this one, or waits: another of its key, type and address that is
   * done, else the one with the earliest clock. `isDone` says whether the consumer is past a message.
   * Undefined where this is the one to handle, as is one without a key.
   *
   * @throws `crdt/closed`, and the signal's reason
   */
  duplicateOf(
    message: KeyedMessage & Pick<Message, "from" | "idempotencyKey">,
    isDone: (id: string) => boolean,
    signal?: AbortSignal,
  ): Promise<Duplicate | undefined>;
  close(): Promise<void>;
}

/** Replicas that did not know of each other may all have sent one; more of a key than this is no accident. */
const maxPerKey = 16;

/** What the live pages of an agent hold by key, and how far each was read. */
interface Scanned {
  readonly found: Map<string, Known[]>;
  readonly lengths: Map<string, number>;
}

/** A message as the index has it. */
interface Known extends KeyedMessage {
  readonly clock: Timestamp;
}

const keyedMessages = defineView<readonly Known[]>({
  key: (entry) => keyOf(entry),
  init: () => [],
  step(known, entry) {
    const keyed = keyedOf(entry);
    return keyed && known.length < maxPerKey ? [...known, keyed] : known;
  },
  // A key holds on to no page: what it comes to is in the snapshot.
  isClosed: () => true,
  mayReturn: true,
  snapshot: { name: "idempotency-keys", version: 1 },
});

/** Creates the index of a room. */
export function createIdempotencyIndex(documents: Documents): IdempotencyIndex {
  const { log, history, views } = documents;
  let view: View<readonly Known[]> | undefined;
  let isReady = false;
  /** What the sealed pages of an agent hold, and its live ones, while the view has not read all or can't tell. */
  const sealed = new Map<string, Promise<Map<string, Known[]>>>();
  const live = new Map<string, Scanned>();
  // What was out of reach may be had now.
  const stop = documents.online.subscribe(forget);

  function forget(): void {
    sealed.clear();
    live.clear();
  }

  function open(): View<readonly Known[]> {
    if (view) return view;
    view = views.open(keyedMessages);
    view.ready.then(
      () => {
        isReady = true;
        forget();
      },
      () => undefined,
    );
    return view;
  }

  async function readSealed(agent: string): Promise<Map<string, Known[]>> {
    const found = new Map<string, Known[]>();
    for (const writer of writersOf(agent)) {
      try {
        for await (const { entries } of history.pagesFrom(writer)) {
          for (const entry of entries) note(found, entry);
        }
      } catch (failure) {
        // What can't be read now is not known here.
        if (!isFlockError(failure)) throw failure;
      }
    }
    return found;
  }

  /** Goes on behind what was scanned before: a sender may say thousands before the view has read all. */
  function readLive(agent: string): Scanned["found"] {
    const scanned: Scanned = live.get(agent) ?? { found: new Map(), lengths: new Map() };
    live.set(agent, scanned);
    for (const writer of writersOf(agent)) {
      for (const { name, entries } of log.pages(writer)) {
        const page = `${writer}/${formatPageName(name)}`;
        for (const entry of entries.slice(scanned.lengths.get(page))) note(scanned.found, entry);
        scanned.lengths.set(page, entries.length);
      }
    }
    return scanned.found;
  }

  function writersOf(agent: string): string[] {
    const writers = new Set([...documents.registers().keys(), ...log.writers()]);
    return [...writers].filter((writer) => agentOf(writer) === agent);
  }

  async function known(
    agent: string,
    key: string,
    signal: AbortSignal | undefined,
  ): Promise<readonly Known[]> {
    const index = open();
    const name = `${agent}|${key}`;
    // A key that is looked for in history waits for the network, and its sender does not.
    const isLooking = documents.hasRelay && !documents.online.get() && index.status(name) === "loading";
    const found = isReady && !isLooking ? await fetched(index, name, signal) : undefined;
    const all = found ?? (await abortable(outsideOf(index, agent, name), signal));
    return all.filter(isKept).sort(compareKnown);
  }

  /** Undefined where it can't be told: a snapshot that fails, or history out of reach, keeps nobody from sending. */
  async function fetched(
    index: View<readonly Known[]>,
    name: string,
    signal: AbortSignal | undefined,
  ): Promise<readonly Known[] | undefined> {
    try {
      return (await index.fetch(name, signal && { signal })) ?? [];
    } catch (failure) {
      if (signal?.aborted || !isFlockError(failure) || failure.code === "crdt/closed") throw failure;
      return undefined;
    }
  }

  /** What the index has by now, and what the agent's own lanes have. */
  async function outsideOf(
    index: View<readonly Known[]>,
    agent: string,
    name: string,
  ): Promise<readonly Known[]> {
    const reading = sealed.get(agent) ?? readSealed(agent);
    sealed.set(agent, reading);
    const before = (await reading).get(name) ?? [];
    const all = [...before, ...(index.get(name) ?? []), ...(readLive(agent).get(name) ?? [])];
    return [...new Map(all.map((each) => [each.id, each])).values()];
  }

  /** A key lasts as long as its lane. */
  function isKept({ id }: Known): boolean {
    const address = parseEntryId(id);
    if (!address) return false;
    const { writer, page } = address;
    const marks = history.marks(writer);
    // Of a lane that has departed nothing is left to wait for.
    return marks ? page.number >= marks.first : log.pages(writer).length > 0;
  }

  return {
    first: async (agent, key, signal) => (await known(agent, key, signal))[0],
    async duplicateOf(message, isDone, signal) {
      if (message.idempotencyKey === undefined) return undefined;
      const same = (await known(message.from, message.idempotencyKey, signal)).filter(
        ({ type, to, topic }) => type === message.type && to === message.to && topic === message.topic,
      );
      const others = same.filter(({ id }) => id !== message.id);
      const done = others.find(({ id }) => isDone(id));
      if (done) return { of: done.id, isDone: true };
      const [first] = same;
      return first && first.id !== message.id ? { of: first.id, isDone: false } : undefined;
    },
    async close() {
      stop();
      await view?.close();
    },
  };
}

/** The same whatever part of history has been read, as no two may each wait for the other. */
function compareKnown(a: Known, b: Known): number {
  if (a.clock !== b.clock) return a.clock - b.clock;
  return a.id < b.id ? -1 : Number(a.id > b.id);
}

/** The key of a message's entry; a look at the body first, because most have none. */
function keyOf(entry: Entry): string | undefined {
  const { kind, body } = entry;
  if (kind !== messageKind || typeof body !== "object" || body === null) return undefined;
  if (!("idempotencyKey" in body)) return undefined;
  const message = readMessage(entry);
  return message && `${message.from}|${message.idempotencyKey}`;
}

function keyedOf(entry: Entry): Known | undefined {
  const message = readMessage(entry);
  if (!message) return undefined;
  const { id, type, to, topic, reference } = message;
  return {
    id,
    clock: entry.clock,
    type,
    ...(to !== undefined && { to }),
    ...(topic !== undefined && { topic }),
    ...(reference && { reference: { id: reference.id } }),
  };
}

function note(found: Map<string, Known[]>, entry: Entry): void {
  const name = keyOf(entry);
  const keyed = name === undefined ? undefined : keyedOf(entry);
  if (name === undefined || !keyed) return;
  const others = found.get(name);
  if (!others) found.set(name, [keyed]);
  else if (others.length < maxPerKey) others.push(keyed);
}
