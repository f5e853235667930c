import type { Awareness } from "y-protocols/awareness";
import {
  type Closable,
  createEmitter,
  createScope,
  createStore,
  FlockError,
  parseId,
  type Store,
  type Undo,
} from "../base/index.ts";
import {
  bindState,
  type ChangeOrigin,
  createOrigin,
  createStorageHealth,
  createTokenSource,
  type DocumentsStatus,
  defaultRetention,
  openDocuments,
  openUndoHistory,
  type Retention,
  type StateOf,
  type StateSchema,
  type TokenSource,
  type UndoHistory,
  type UndoOptions,
  type View,
  type ViewDefinition,
  type ViewOptions,
  type Write,
} from "../crdt/index.ts";
import {
  createCancellations,
  createIdempotencyIndex,
  createMessageTypes,
  createServiceDesk,
  type DeadLetter,
  type DeliveryStatus,
  failOpenStreams,
  type ListedMessage,
  type MessageDefinition,
  openDeadLetters,
  openDeliveries,
  openDeliveryBoard,
  openMessageList,
  type Provenance,
  type ProvenanceOptions,
  type ReadStreamOptions,
  readProvenance,
  readStream,
  type StreamPiece,
  type WaitOptions,
} from "../messaging/index.ts";
import {
  maxCapabilities,
  maxCapabilityLength,
  parseRoomId,
  principalOf,
  referencesPath,
  socketPath,
} from "../protocol/index.ts";
import {
  type CommunicationPolicy,
  createHttpStore,
  createPolicyManager,
  type HttpStoreOptions,
  type LayeredStore,
  openLayeredStore,
} from "../refstore/index.ts";
import { type Agent, createAgent } from "./agent.ts";
import { type HistoryOptions, type HistoryRecord, readHistory } from "./history.ts";
import { createMoment, type Moment } from "./moment.ts";
import { createPageStore } from "./page-store.ts";
import { type RoomPlatform, resolvePlatform } from "./platform.ts";
import { parseRelay } from "./relay-address.ts";
import { type ReplayedRecord, type ReplayOptions, readReplay } from "./replay.ts";
import { type AgentInfo, openRoster } from "./roster.ts";
import { createStorageMeter, type StorageQuota, watchReferences } from "./storage.ts";

/** How a room stands on this device. */
export interface RoomStatus extends DocumentsStatus {
  /** How full this device's storage is, where the platform says so; measured now and then. */
  readonly quota?: StorageQuota;
}

export interface RoomOptions<S extends StateSchema = Record<never, never>> {
  /** The relay's address, `https://…` or `wss://…`. Without one the room lives on this device and its tabs. */
  relay?: string;
  /** Whom the tokens speak for, their `sub`: this device keeps the data of each apart. Default `anon`, without a token. */
  principal?: string;
  /**
   * Gives a token for the relay; asked before each connection and before the last one ends. One that throws is asked
   * again later. Needs `principal`, because opening never waits for the network.
   */
  token?: () => string | Promise<string>;
  /** What the room's shared state is made of; default nothing. */
  state?: S;
  /** The types of messages whose content has a schema, made by `defineMessage`; content of any other passes as it is. */
  messages?: readonly MessageDefinition[];
  /** How content of a type travels, over the named policies. */
  policies?: Readonly<Record<string, CommunicationPolicy>>;
  /** How long history is kept; every replica of a room should say the same. Default: for good, and of departed writers 90 days. */
  retention?: Partial<Retention>;
  /** What the room uses of the machine. */
  platform?: RoomPlatform;
}

/** References of a room: kept here, fetched from and uploaded to the relay. */
export type RoomReferences = Omit<LayeredStore, "close" | "connected" | "disconnected">;

/** One flock's shared space, on this device. */
export interface Room<S extends StateSchema = Record<never, never>> extends Closable {
  readonly id: string;
  /** The random id of this replica, 11 characters. */
  readonly session: string;
  readonly status: Store<RoomStatus>;
  /** Handles on the shared state, by the names of the schema. */
  readonly state: StateOf<S>;
  /** Groups changes of the state into one write, on behalf of an agent or conversation if one is named. @throws `room/closed` */
  transact(change: () => void, origin?: ChangeOrigin): Write;
  /**
   * Opens the history of one's own changes of the state, an agent's or a conversation's, made here from now on: others'
   * changes stay when they are undone.
   *
   * @throws `room/closed`
   * @example
   * ```ts
   * const room = await openRoom("lab-9", { state: { notes: text() } });
   * const history = room.openUndo({ of: { agent: "planner" } });
   * room.transact(() => room.state.notes.insert(0, "draft "), { agent: "planner" });
   * room.state.notes.insert(0, "mine: ");
   * history.undo();
   * room.state.notes.get(); // "mine: "
   * await room.close();
   * ```
   */
  openUndo(options?: UndoOptions): UndoHistory;
  /**
   * Opens an agent: the first of its writers on this device that no other tab has open, else a new one.
   *
   * @throws `base/invalid-id`, `room/invalid-options`, `room/agent-exists`, `room/closed`, `crdt/storage-failed`
   */
  agent(name: string, options?: { capabilities?: readonly string[] }): Promise<Agent>;
  /** Everyone who joined, by name. */
  readonly agents: Store<readonly AgentInfo[]>;
  /** Every message known here, in the room's order. */
  readonly messages: Store<readonly ListedMessage[]>;
  /**
   * Messages that a consumer gave up, the oldest first, but for those that were redriven since. The first look reads what
   * is sealed of the room, in the background, and keeps what it found on this device; until then the list grows.
   */
  readonly deadLetters: Store<readonly DeadLetter[]>;
  /**
   * What became of a message at each known consumer that it is for; undefined where the message is not live here. Under
   * partition that is what was heard last. A consumer that began after the message counts as past it.
   */
  deliveryStatus(id: string): readonly DeliveryStatus[] | undefined;
  /**
   * Resolves once every known consumer that a message is for, and at least one, has acknowledged it or given it up; at the
   * time-out with how far they are, some of them or none still pending: under partition nothing more can be told.
   *
   * @throws `messaging/invalid-message` where the id is of no message, `messaging/invalid-options`, `messaging/gap` once
   * retention has taken the message, `crdt/closed` when the room closes, and the signal's reason; where
   * the message is sealed `crdt/history-corrupt` and `refstore/not-found`
   * @example
   * ```ts
   * const room = await openRoom("status");
   * const planner = await room.agent("planner");
   * const critic = await room.agent("critic");
   * critic.onMessage({ type: "QUERY" }, () => undefined);
   * const { id } = await planner.send({ to: "critic", type: "QUERY", content: "Is it done?" });
   * const [status] = await room.waitForDelivery(id, { timeoutMs: 10_000 });
   * status?.state; // "acknowledged"
   * await room.close();
   * ```
   */
  waitForDelivery(id: string, options?: WaitOptions): Promise<readonly DeliveryStatus[]>;
  readonly refs: RoomReferences;
  /** Who is here, as a y-protocols Awareness: editor bindings take it. */
  readonly awareness: Awareness;
  /** Goes to the network again after `disconnect`. */
  connect(): void;
  /** Leaves the network; work goes on, and tabs of one browser still talk. */
  disconnect(): void;
  /**
   * Opens a view over the room's lanes: a fold that is the same on every replica. It closes with the room.
   *
   * @throws `room/closed`, `base/invalid-id` where the name of its snapshot is none
   * @example
   * ```ts
   * const room = await openRoom("views");
   * const planner = await room.agent("planner");
   * const counts = room.view<number>({
   *   key: (entry) => readMessage(entry)?.conversation,
   *   init: () => 0,
   *   step: (count) => count + 1,
   * });
   * await planner.send({ topic: "plans", type: "STATUS", content: "begun", conversation: "c1" });
   * await planner.send({ topic: "plans", type: "STATUS", content: "done", conversation: "c1" });
   * await counts.ready;
   * counts.get("c1"); // 2
   * await room.close();
   * ```
   */
  view<State>(definition: ViewDefinition<State>, options?: ViewOptions): View<State>;
  /**
   * The room's lanes as they were at a time, in milliseconds since the epoch. What is read is read when it is asked for.
   *
   * @throws `room/closed`, `base/invalid-timestamp`
   */
  at(time: number): Moment;
  /**
   * Reads back what was said in the room, sealed or live, as it is known when the reading begins: by clock, writer, page
   * and index. (What rests on what is a view's business.) It reads no more than is asked for: about a page of each lane
   * is held, each verified. Where retention has taken the beginning of a lane, the lane begins with what is kept.
   *
   * @throws `room/closed`, `room/invalid-options`; and while it is read `refstore/unavailable`, `refstore/not-found`,
   * `crdt/history-corrupt` and the signal's reason
   * @example
   * ```ts
   * const room = await openRoom("archive");
   * const planner = await room.agent("planner");
   * for (const content of ["one", "two", "three"]) await planner.send({ topic: "plans", type: "STATUS", content });
   * const contents: unknown[] = [];
   * let cursor: HistoryCursor | undefined;
   * for await (const record of room.history({ topic: "plans", limit: 2 })) {
   *   contents.push(record.message?.content);
   *   cursor = record.cursor;
   * }
   * contents; // ["three", "two"]
   * for await (const { message } of room.history({ cursor, topic: "plans" })) contents.push(message?.content);
   * contents; // ["three", "two", "one"]
   * await room.close();
   * ```
   */
  history(options?: HistoryOptions): AsyncIterableIterator<HistoryRecord>;
  /**
   * Reads what an agent said and was told, the oldest first, and which of the messages to it no consumer of it has
   * passed: what another agent needs to take over its work. Read as `history` is.
   *
   * @throws as `history`
   * @example
   * ```ts
   * const room = await openRoom("recovery");
   * const planner = await room.agent("planner");
   * const worker = await room.agent("worker");
   * await planner.send({ to: "worker", type: "TASK_REQUEST", content: "sweep" });
   * await worker.leave();
   * const open: unknown[] = [];
   * for await (const { message, isAcknowledged } of room.replay({ agent: "worker" })) {
   *   if (isAcknowledged === false) open.push(message?.content);
   * }
   * open; // ["sweep"]
   * await room.close();
   * ```
   */
  replay(options: ReplayOptions): AsyncIterableIterator<ReplayedRecord>;
  /**
   * Reads a stream by the id of the message that opened it, from any offset: what is there, then what comes, until its
   * end; `at` counts UTF-16 code units of text, or bytes, and an offset in the middle of a surrogate pair begins at the
   * pair. `at` and the length of the last piece is where another reading goes on, without a gap or anything twice. The
   * whole is held, at most 32 MiB, by a reading from 0: its digest is checked at the end.
   *
   * @throws `room/closed`, `messaging/invalid-options`; and while it is read `messaging/stream-failed` with the writer's
   * reason, `messaging/stream-corrupt`, `crdt/history-lost` where retention took what is read before there was a whole,
   * `refstore/unavailable` where a sealed part is out of reach, and the signal's reason
   */
  readStream(id: string, options?: ReadStreamOptions): AsyncIterableIterator<StreamPiece>;
  /**
   * Reads what a message was made from: its parent, its sources, and theirs, with the labels of all of them, also where a
   * message between did not pass them on. Undefined where there is no such message.
   *
   * @throws `room/closed`, `refstore/unavailable` where a sealed part is out of reach, and the signal's reason
   * @example
   * ```ts
   * const room = await openRoom("sources");
   * const scout = await room.agent("scout");
   * const page = await scout.send({ topic: "finds", type: "LOG", content: "…", labels: ["web"] });
   * const note = await scout.send({ topic: "notes", type: "LOG", content: "…", sources: [page.id] });
   * const provenance = await room.provenance(note.id);
   * provenance?.labels; // ["web"]
   * provenance?.sources.map(({ id }) => id === page.id); // [true]
   * await room.close();
   * ```
   */
  provenance(id: string, options?: ProvenanceOptions): Promise<Provenance | undefined>;
  /** Told of what went wrong without a caller to throw to: refusals, failed storage, failed handlers. */
  onProblem(listener: (error: FlockError) => void): Undo;
  /** Stores what is pending and lets go of every timer, socket, lock and database. Closing twice is safe. */
  close(): Promise<void>;
  /**
   * Asks the browser to keep this origin's data even when the device runs short of space; never done unasked. False
   * where it refuses, and where nothing is kept anyway.
   */
  persist(): Promise<boolean>;
  /**
   * Closes the room and forgets everything of it on this device, sent or not.
   *
   * @throws `crdt/storage-failed` of the reason `blocked` while another tab has it open: then nothing is deleted, and
   * another call finishes.
   */
  deleteLocal(): Promise<void>;
}

/** Stands in databases' names where a relay's address would; no address looks like it. */
const localHost = "@local";
/** Whom a relay in development mode takes everybody for. */
const anonymous = "anon";

/**
 * Opens a room; resolves once what this device has is loaded. It never waits for the network.
 *
 * @throws `protocol/invalid-room`, `room/invalid-options`, `crdt/invalid-state`, `crdt/storage-failed`; and
 * `crdt/storage-newer` where a later version of this library has kept the room here
 * @example
 * ```ts
 * const room = await openRoom("lab-7", { state: { notes: text() } });
 * const planner = await room.agent("planner");
 * const critic = await room.agent("critic");
 * critic.onMessage({ type: "QUERY" }, ({ content }) => room.state.notes.insert(0, String(content)));
 * const sent = await planner.send({ to: "critic", type: "QUERY", content: "Is it done?" });
 * await sent.settled("delivered");
 * room.state.notes.get(); // "Is it done?"
 * await room.close();
 * ```
 */
export async function openRoom<S extends StateSchema = Record<never, never>>(
  id: string,
  options: RoomOptions<S> = {},
): Promise<Room<S>> {
  parseRoomId(id);
  const relay = options.relay === undefined ? undefined : parseRelay(options.relay);
  const platform = await resolvePlatform(options.platform ?? {});
  const { clock, openSocket } = platform;
  if (relay && !openSocket) {
    throw new FlockError(
      "room/invalid-options",
      "This platform has no WebSocket: hand one in as platform.WebSocket, for instance that of the package ws.",
    );
  }
  if (options.token && !options.principal) {
    throw new FlockError(
      "room/invalid-options",
      "A room with a token needs `principal`: the `sub` that its tokens carry.",
    );
  }
  const principal = await principalOf(options.principal ?? anonymous);
  const tokens = options.token && createTokenSource(options.token);
  const prefix = `flockstate/${relay ? encodeURIComponent(relay.host) : localHost}/${id}/${principal}/`;
  const scope = createScope();
  const problems = createEmitter<FlockError>();

  const remote =
    relay &&
    createHttpStore({
      baseUrl: `${relay.http}${referencesPath(id)}`,
      ...(tokens && { headers: bearerOf(tokens) }),
      ...(platform.fetch && { fetch: platform.fetch }),
    });
  const health = createStorageHealth(platform.persistence);
  const references = `${prefix}references`;
  const refs = await openLayeredStore({
    local: watchReferences(references, await platform.openReferences(references), health),
    clock,
    random: platform.random,
    ...(remote && { remote }),
  });
  scope.add(() => refs.close());

  const documents = await openDocuments({
    room: id,
    principal,
    prefix,
    persistence: platform.persistence,
    health,
    clock,
    random: platform.random,
    relay:
      relay && openSocket ? { url: `${relay.webSocket}${socketPath(id)}`, openSocket, tokens } : undefined,
    openTabChannel: platform.openTabChannel,
    pages: createPageStore(refs, remote),
    retention: { ...defaultRetention, ...options.retention },
    limits: platform.lanes,
  }).catch(async (failure: unknown) => {
    await scope.close();
    throw failure;
  });
  scope.add(() => documents.close());
  scope.add(documents.problems.on((error) => problems.emit(error)));
  scope.add(documents.adopted.on((writer) => failOpenStreams(writer, documents.log)));

  try {
    return await furnish();
  } catch (failure) {
    await scope.close();
    throw failure;
  }

  function assertOpen(): void {
    if (scope.closed) throw new FlockError("room/closed", `The room ${id} is closed: open it again.`);
  }

  async function furnish(): Promise<Room<S>> {
    scope.add(refs.onProblem(({ error }) => problems.emit(error)));
    scope.add(documents.online.subscribe((online) => (online ? refs.connected() : refs.disconnected())));

    const host = {
      document: documents.shared.document,
      transact(change: () => void, origin?: ChangeOrigin): Write {
        assertOpen();
        documents.shared.document.transact(change, origin && createOrigin(origin));
        return documents.shared.write();
      },
    };
    const state = bindState(host, options.state ?? ({} as S));
    const policy = createPolicyManager({ ...(options.policies && { policies: options.policies }) });
    const types = createMessageTypes(options.messages ?? []);
    const idempotency = createIdempotencyIndex(documents);
    scope.add(() => idempotency.close());
    const cancellations = createCancellations(documents.log);
    scope.add(() => cancellations.close());
    const board = openDeliveryBoard(documents);
    scope.add(() => board.close());
    const messages = openMessageList(documents, board, clock);
    scope.add(() => messages.close());
    const deadLetters = openDeadLetters(documents, clock);
    scope.add(() => deadLetters.close());
    const deliveries = openDeliveries({ documents, deadLetters, clock });
    scope.add(() => deliveries.close());
    const closing = new AbortController();
    scope.add(() => closing.abort(new FlockError("room/closed", `The room ${id} was closed.`)));
    const roster = openRoster(documents);
    scope.add(() => roster.close());
    const desk = createServiceDesk();
    const agents = new Map<string, Promise<Agent>>();
    scope.add(async () => {
      for (const agent of agents.values()) {
        // An agent that did not open has told its caller why.
        await agent.then(
          (opened) => opened.close(),
          () => undefined,
        );
      }
    });

    const meter = createStorageMeter({
      storage: platform.persistence.durable ? platform.storage : undefined,
      health,
      clock,
    });
    scope.add(() => meter.close());

    const status = createStore<RoomStatus>(documents.status.get());
    const refreshStatus = (): void => {
      const { pending, ...rest } = documents.status.get();
      const quota = meter.quota.get();
      const total = pending + (relay ? refs.pending.get() : 0);
      status.set(Object.freeze({ ...rest, pending: total, ...(quota && { quota }) }));
    };
    scope.add(meter.quota.subscribe(refreshStatus));
    scope.add(documents.status.subscribe(refreshStatus));
    scope.add(refs.pending.subscribe(refreshStatus));
    refreshStatus();

    let wanted = true;
    let reachable = true;
    /** The databases that are to be deleted, once that has been asked for. */
    let doomed: readonly string[] | undefined;
    const follow = (): void => {
      if (wanted && reachable && !scope.closed) documents.connect();
      else documents.disconnect();
    };
    scope.add(platform.watchDeparture(() => documents.depart()));
    scope.add(
      platform.watchConnectivity((online) => {
        reachable = online;
        follow();
      }),
    );
    follow();

    async function openAgent(name: string, capabilities: readonly string[]): Promise<Agent> {
      const opened = await documents.openWriter(name);
      return createAgent({
        name,
        capabilities,
        opened,
        documents,
        refs,
        policy,
        board,
        deadLetters,
        types,
        idempotency,
        cancellations,
        desk,
        clock,
        random: platform.random,
        closing: closing.signal,
        onProblem: (error) => problems.emit(error),
        onClosed: () => agents.delete(name),
      });
    }

    return {
      id,
      session: documents.session,
      status,
      state,
      transact: host.transact,
      openUndo(undoOptions) {
        assertOpen();
        const undo = openUndoHistory(
          { document: host.document, clock, written: () => documents.shared.write() },
          undoOptions,
        );
        scope.add(() => undo.close());
        return undo;
      },
      async agent(name, { capabilities = [] } = {}) {
        parseId(name, "agent");
        assertOpen();
        assertCapabilities(capabilities);
        if (agents.has(name)) {
          throw new FlockError(
            "room/agent-exists",
            `The agent ${name} is open in this room already: use it, or close it first.`,
          );
        }
        const opening = openAgent(name, capabilities);
        agents.set(name, opening);
        try {
          return await opening;
        } catch (failure) {
          agents.delete(name);
          throw failure;
        }
      },
      agents: roster,
      messages,
      deadLetters: deadLetters.list,
      deliveryStatus(message) {
        assertOpen();
        return deliveries.statusOf(message);
      },
      async waitForDelivery(message, waitOptions) {
        assertOpen();
        return deliveries.wait(message, waitOptions);
      },
      refs,
      awareness: documents.presence.awareness,
      connect() {
        wanted = true;
        follow();
      },
      disconnect() {
        wanted = false;
        follow();
      },
      view(definition, bounds = {}) {
        assertOpen();
        return documents.views.open(definition, bounds);
      },
      at(time) {
        assertOpen();
        return createMoment(documents.views, time);
      },
      history(historyOptions = {}) {
        assertOpen();
        return readHistory(documents, historyOptions);
      },
      async provenance(message, provenanceOptions) {
        assertOpen();
        return readProvenance(documents, message, provenanceOptions);
      },
      replay(replayOptions) {
        assertOpen();
        return readReplay(documents, board, replayOptions);
      },
      readStream(stream, streamOptions) {
        assertOpen();
        return readStream({ documents, refs, closed: closing.signal }, stream, streamOptions);
      },
      onProblem: (listener) => problems.on(listener),
      close: () => scope.close(),
      persist: () => meter.persist(),
      async deleteLocal() {
        doomed ??= await documents.databases();
        // What could not be stored at the end need not be.
        await scope.close().catch(() => undefined);
        await platform.persistence.forget(prefix, [references, ...doomed]);
      },
    };
  }
}

function bearerOf(tokens: TokenSource): NonNullable<HttpStoreOptions["headers"]> {
  return async ({ refused }) => ({
    authorization: `Bearer ${await (refused ? tokens.fetch() : tokens.newest())}`,
  });
}

/** The register that announces them is read by others only within these bounds. */
function assertCapabilities(capabilities: readonly string[]): void {
  const fits = capabilities.every((each) => typeof each === "string" && each.length <= maxCapabilityLength);
  if (fits && capabilities.length <= maxCapabilities) return;
  throw new FlockError(
    "room/invalid-options",
    `An agent has at most ${maxCapabilities} capabilities of at most ${maxCapabilityLength} characters each.`,
  );
}
