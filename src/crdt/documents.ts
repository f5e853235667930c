import {
  type Clock,
  createEmitter,
  createHybridClock,
  createScope,
  createStore,
  type Emitter,
  type FlockError,
  type HybridClock,
  type RandomBytes,
  randomId,
  type Scope,
  type Store,
  timestampToMs,
} from "../base/index.ts";
import {
  type LaneMarks,
  parseDocumentName,
  parseEntryId,
  type RegisterRecord,
  registerName,
  sharedName,
} from "../protocol/index.ts";
import { createCaughtUp } from "./caught-up.ts";
import { documentDatabase, listDatabases, recordsDatabase, writerDatabase } from "./database-names.ts";
import { createChains } from "./history/chains.ts";
import { createHistory, type History } from "./history/history.ts";
import { createEntryLog, type EntryLog } from "./lanes/entry-log.ts";
import type { LaneLimits } from "./lanes/lane-limits.ts";
import { loadReceived } from "./lanes/received.ts";
import { createReleases, type Releases } from "./lanes/releases.ts";
import type { PageStore } from "./page-store.ts";
import { createStorageHealth, type StorageHealth, watchPersistence } from "./persistence/health.ts";
import type { Persistence } from "./persistence/port.ts";
import { retryWhileFailed } from "./persistence/retry.ts";
import { withSchemas } from "./persistence/schema.ts";
import { openPresence, type PresenceBoard } from "./presence.ts";
import { createProblemReport } from "./problem-report.ts";
import { createRelayExchange, type RelayExchange } from "./relay-exchange.ts";
import type { Retention } from "./retention.ts";
import { schemaOf } from "./room-schema.ts";
import { createSaver, readCursor } from "./saver.ts";
import type { Received } from "./shared/guard.ts";
import { openSharedDocument, type SharedDocument } from "./shared/shared-document.ts";
import { createSharedSet } from "./shared/shared-set.ts";
import { createSignals, type Signals } from "./signals.ts";
import { createStatusBoard, type DocumentsStatus } from "./status.ts";
import { openTabs } from "./tabs.ts";
import type { OpenSocket, OpenTabChannel } from "./transports/port.ts";
import type { TabLink } from "./transports/tab-link.ts";
import type { TokenSource } from "./transports/token-source.ts";
import { createViews, type Views } from "./views/views.ts";
import { createDepartures, type Departures } from "./writers/departures.ts";
import type { Pen } from "./writers/pen.ts";
import { createRegisters } from "./writers/registers.ts";
import {
  createWriterPool,
  listWriters,
  type OpenedWriter,
  type OwnedName,
  type WriterPool,
} from "./writers/writer-pool.ts";
import { readWriter } from "./writers/writer-records.ts";

/** A writer that is here only to be sent. */
export type AdoptedWriter = Pick<Pen, "id" | "append">;

/** The documents of a room on this device: loaded, kept, exchanged with the relay and with other tabs. */
export interface Documents {
  readonly session: string;
  readonly status: Store<DocumentsStatus>;
  /** What is live of the lanes. */
  readonly log: EntryLog;
  /** What is sealed of them. */
  readonly history: History;
  readonly views: Views;
  readonly presence: PresenceBoard;
  readonly signals: Signals;
  /** The main shared document. */
  readonly shared: SharedDocument;
  /** Opens a writer for an agent: the first of its writers here that nobody has open, else a new one. */
  openWriter(agent: string): Promise<OpenedWriter>;
  /** A writer whose page is gone is here, to send what it left. */
  readonly adopted: Emitter<AdoptedWriter>;
  /** The agent that had this writer open has closed. */
  releaseWriter(writer: string): void;
  /** The latest record of every writer known here. */
  registers(): Map<string, RegisterRecord>;
  register(writer: string): RegisterRecord | undefined;
  /** How far a writer's lane is sealed; undefined where nothing of it is. */
  marks(writer: string): LaneMarks | undefined;
  readonly registerChanged: Emitter<string>;
  /** Whether this writer is open in this replica. */
  isHere(writer: string): boolean;
  /** How far an entry is known to have come; what others wrote came through the relay or another tab. */
  stageOf(id: string): "pending" | "local" | "relayed";
  /**
   * Resolves once the relay, or a tab that has caught up, has told what this replica lacked; at once where there can be
   * neither. Where the relay can't be reached any tab counts, and without one a second in which none answers.
   */
  readonly caughtUp: Promise<void>;
  readonly online: Store<boolean>;
  /** Whether the room has a relay, be it within reach or not. */
  readonly hasRelay: boolean;
  readonly problems: Emitter<FlockError>;
  connect(): void;
  disconnect(): void;
  /** Tells the other tabs that this page goes away; should it come back, its next word takes that back. */
  depart(): void;
  /** Resolves when everything written and received so far is stored, or storing has failed. */
  flush(): Promise<void>;
  /** The names of the databases that the room's documents have on this device, in the order in which to delete them. */
  databases(): Promise<string[]>;
  close(): Promise<void>;
}

export interface DocumentsOptions {
  room: string;
  principal: string;
  /** The first part of every database's name: tells rooms of different relays and principals apart. */
  prefix: string;
  persistence: Persistence;
  /** Notes how storage fares; default the documents' own. */
  health?: StorageHealth;
  clock: Clock;
  random: RandomBytes;
  relay: { url: string; openSocket: OpenSocket; tokens: TokenSource | undefined } | undefined;
  openTabChannel: OpenTabChannel | undefined;
  /** Where sealed pages are kept. */
  pages: PageStore;
  retention: Retention;
  /** For tests. Default: those of the protocol. */
  limits?: LaneLimits | undefined;
}

/**
 * Once all was told, what rests on a writer of whom there is nothing waits for so long: its documents may come after those
 * that rest on them, and they come no more where it has departed.
 */
const unknownAfterMs = 24 * 3_600_000;

/**
 * Opens a room's documents; resolves once what this device has is loaded. It never waits for the network.
 *
 * @throws `crdt/storage-failed`
 */
export async function openDocuments(options: DocumentsOptions): Promise<Documents> {
  const scope = createScope();
  try {
    return await openIn(scope, options);
  } catch (failure) {
    await scope.close();
    throw failure;
  }
}

async function openIn(scope: Scope, options: DocumentsOptions): Promise<Documents> {
  const { principal, prefix, clock, random, health = createStorageHealth(options.persistence) } = options;
  const persistence = withSchemas(watchPersistence(options.persistence, health), schemaOf(prefix));
  const session = randomId(random);
  const board = createStatusBoard({
    storage: health.state,
    pending: () => pool.pending + (link ? shared.pending : 0),
  });
  scope.add(board.close);
  const report = createProblemReport(health.isNoted);
  scope.add(health.problems.on((error) => report.problems.emit(error)));
  const log = createEntryLog();
  const chains = createChains(log, options.pages);
  const hybrid: HybridClock = createHybridClock(clock);
  const records = await persistence.open(recordsDatabase(prefix));
  scope.add(() => records.close());
  // Before the rows that it covers, because another tab may store more of both meanwhile.
  const cursor = await readCursor(records);
  const hasJoined = !options.relay || cursor.epoch !== "";
  const received = await loadReceived(records, {
    log,
    hybrid,
    random,
    standingOf: (writer, page) => releases.standingOf(writer, page),
  });
  const registerChanged = received.registerChanged;
  // What closed tabs of this device wrote is in their writers' databases, and no relay sends it here again.
  const writersBefore = new Set(await listWriters(records));
  for (const id of writersBefore) {
    const store = await persistence.open(writerDatabase(prefix, id));
    for await (const [name, update] of readWriter(id, store)) received.preload(name, update);
    await store.close();
  }

  const shared = createSharedSet({
    openDocument: openShared,
    onReceived: (name, result) => relay?.settle(name, result),
    onFailed: report.tellStorage,
  });
  const caughtUp = createCaughtUp(clock, { hasRelay: !!options.relay, hasTabs: !!options.openTabChannel });
  scope.add(() => caughtUp.close());

  const saver = createSaver({
    records,
    takeUnsaved: () => received.takeUnsaved(),
    confirmShared: () => shared.confirm(),
    confirmOwn: () => pool.confirm(),
    onFailed: report.tellStorage,
  });

  const relay: RelayExchange | undefined =
    options.relay &&
    createRelayExchange({
      ...options.relay,
      principal,
      clock,
      random,
      cursor,
      report,
      saver,
      shared,
      caughtUp,
      parts: () => ({ pool, presence, signals }),
      take,
      onJoined: () => departures.begin(),
    });
  const link = relay?.link;
  const online = relay?.online ?? createStore(false);

  /** Takes up an update of a lane or register, from the relay or another tab. */
  function take(name: OwnedName, update: Uint8Array): Received {
    const { kind, writer } = name;
    const foreign = pool.foreign(name, update);
    if (!foreign || (kind === "lane" && departures.turnsAway(writer))) return { result: "known" };
    const taken = received.receive(name, foreign);
    if (taken.result === "gap" && departures.lacks(writer)) return { result: "known" };
    if (taken.result !== "applied") return taken;
    if (kind === "lane") releases.arrived(writer, name.page);
    else departures.heard(writer);
    return taken;
  }

  // Documents and writers -------------------------------------------------------------------------

  async function openShared(name: string): Promise<SharedDocument> {
    const document = await openSharedDocument({
      name,
      databaseName: documentDatabase(prefix, name),
      persistence,
      records,
      link,
      clock,
      random,
      onPending: board.refresh,
      onProblem: report.tell,
    });
    document.changed.on((update) => tabs?.publish(name, update));
    scope.add(() => document.close());
    return document;
  }

  const adopted = createEmitter<AdoptedWriter>();
  const pool: WriterPool = createWriterPool({
    principal,
    prefix,
    persistence,
    records,
    log,
    hybrid,
    clock,
    random,
    link,
    pages: options.pages,
    retention: options.retention,
    limits: options.limits,
    effectiveOf: (id) => views.order.effectiveOf(id) ?? log.get(id)?.clock,
    received: (writer) => received.documents(writer),
    onStored: (name, update) => tabs?.publish(name, update),
    onFrozen: (writer, update) => received.preload(parseDocumentName(registerName(writer)), update),
    onRegisterChanged: (writer) => registerChanged.emit(writer),
    onAdopted: (writer) => adopted.emit(writer),
    onWriters: (writers) => presence.setWriters(writers),
    onPending: board.refresh,
    onProblem: report.tell,
  });

  const registers = createRegisters(received, pool);
  const history = createHistory({ log, chains, marksOf: registers.marks });
  const reachable = createEmitter<void>();
  // Others hear of the network in this turn, and read through what they then connect.
  scope.add(online.subscribe((isOnline) => isOnline && queueMicrotask(() => reachable.emit())));
  void caughtUp.reached.then(() => reachable.emit());
  const views: Views = createViews({
    lanes: {
      log,
      history,
      marked: registerChanged,
      writers: () => registers.all().keys(),
      isUnknown: (writer, since) =>
        caughtUp.isReached &&
        !registers.get(writer) &&
        log.pages(writer).length === 0 &&
        clock.now() - timestampToMs(since) > unknownAfterMs,
    },
    clock,
    storage: { records, tryLock: (name) => persistence.tryLock(`${prefix}${name}`) },
    reachable,
    onProblem: report.tell,
  });
  scope.add(() => views.close());
  const releases: Releases = createReleases({
    log,
    clock,
    chains,
    received,
    registerChanged,
    writers: received.writers(),
    marksOf: registers.marks,
    isOwn: (writer, page) => pool.isLive(writer, page),
    onReleased: () => saver.note(),
  });
  scope.add(() => releases.close());

  const main = await shared.open(sharedName());

  const presence = openPresence({
    session,
    clock,
    announce(own) {
      relay?.announce(own);
      tabs?.announce(own);
    },
  });
  scope.add(() => presence.close());
  relay?.announce(presence.own());
  const signals = createSignals({
    presence,
    link,
    tabs: () => tabs,
    isHere: (writer) => pool.isOpen(writer),
  });

  const departures: Departures = createDepartures({
    principal,
    prefix,
    departedMs: options.retention.departedMs,
    clock,
    persistence,
    records,
    received,
    chains,
    pages: options.pages,
    link,
    isOwn: (writer) => pool.isOpen(writer) || pool.register(writer) !== undefined,
    isPresent: (writer) => presence.others.get().some(({ writers }) => writers.includes(writer)),
    onForgotten: () => saver.note(),
    onMissed: () => relay?.rejoin(),
  });
  scope.add(() => departures.close());
  if (!link) void caughtUp.reached.then(departures.begin);

  // Other tabs ------------------------------------------------------------------------------------

  const tabs: TabLink | undefined =
    options.openTabChannel &&
    openTabs({
      name: prefix,
      session,
      clock,
      openChannel: options.openTabChannel,
      received,
      pool,
      shared,
      presence,
      signals,
      take,
      onTaken: () => saver.note(),
      onAnswered: caughtUp.answered,
      isCaughtUp: () => caughtUp.isReached,
    });

  if (link) scope.add(board.follow(link));
  board.refresh();

  let closing: Promise<void> | undefined;
  /** Nothing comes in any more, then everything is stored, then the databases are let go. */
  async function closeInOrder(): Promise<void> {
    link?.disconnect();
    await pool.close();
    // The goodbye comes once the locks are free: a tab that hears it reaches for them, to send what is left.
    tabs?.close();
    await saver.flush();
    await scope.close();
  }

  async function flush(): Promise<void> {
    await pool.flush();
    await saver.flush();
    await shared.confirm();
  }
  scope.add(retryWhileFailed(health, { clock, random, write: flush }));

  return {
    session,
    status: board.status,
    log,
    history,
    views,
    presence,
    signals,
    shared: main,
    async openWriter(agent) {
      const opened = await pool.open(agent);
      // Before its first join a device knows of no others but what its own writers wrote.
      if (hasJoined || !opened.resumed) return opened;
      return { ...opened, resumed: false, knownLanes: writersBefore };
    },
    adopted,
    releaseWriter: (writer) => pool.release(writer),
    registers: registers.all,
    register: registers.get,
    marks: registers.marks,
    registerChanged,
    stageOf(id) {
      const address = parseEntryId(id);
      return (address && pool.stageOf(address)) ?? "relayed";
    },
    isHere: (writer) => pool.isOpen(writer),
    caughtUp: caughtUp.reached,
    online,
    hasRelay: link !== undefined,
    problems: report.problems,
    connect: () => relay?.connect(),
    disconnect: () => link?.disconnect(),
    depart: () => tabs?.depart(),
    flush,
    databases: () =>
      listDatabases(prefix, persistence, {
        documents: [...shared].map(({ name }) => name),
        writers: [...pool.registers()].map(([writer]) => writer),
      }),
    close() {
      closing ??= closeInOrder();
      return closing;
    },
  };
}
