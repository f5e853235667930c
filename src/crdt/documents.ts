import {
  type Clock,
  createEmitter,
  createHybridClock,
  createScope,
  createStore,
  type Emitter,
  FlockError,
  type HybridClock,
  isFlockError,
  type RandomBytes,
  randomId,
  type Scope,
  type Store,
  toUtf8,
} from "../base/index.ts";
import {
  type DocumentName,
  decodeDocumentMessage,
  maxPresenceBytes,
  type Presence,
  parseDocumentName,
  parseEntryId,
  parsePresence,
  type RegisterRecord,
  readDocumentName,
  sharedName,
} from "../protocol/index.ts";
import { createEntryLog, type EntryLog } from "./entry-log.ts";
import type { Received } from "./guard.ts";
import type { PageStore } from "./page-store.ts";
import type { Persistence } from "./persistence/port.ts";
import { openPresence, type PresenceBoard } from "./presence.ts";
import { loadReceived, missingOf } from "./received.ts";
import type { Retention } from "./retention.ts";
import { createSaver, cursorKey } from "./saver.ts";
import { openSharedDocument, type SharedDocument } from "./shared-document.ts";
import { createSharedSet } from "./shared-set.ts";
import type { LinkState, OpenSocket, OpenTabChannel } from "./transports/port.ts";
import { type Cursor, createRelayLink, type RelayLink } from "./transports/relay-link.ts";
import { openTabLink, type TabLink } from "./transports/tab-link.ts";
import type { TokenSource } from "./transports/token-source.ts";
import { createWriterPool, listWriters, type OpenedWriter, type WriterPool } from "./writer-pool.ts";
import { readWriter } from "./writer-records.ts";

/** What a replica's storage is worth at the moment. */
export type StorageState = "ready" | "memory-only" | "failed";

/** How a replica stands. */
export interface DocumentsStatus {
  readonly storage: StorageState;
  readonly network: LinkState;
  /** Writes made here that the relay has not acknowledged; 0 without a relay. */
  readonly pending: number;
  /** Whether an administrator has halted the room: what is written waits here until its release. */
  readonly halted: boolean;
}

/** The documents of a room on this device: loaded, kept, exchanged with the relay and with other tabs. */
export interface Documents {
  readonly session: string;
  readonly status: Store<DocumentsStatus>;
  readonly log: EntryLog;
  readonly presence: PresenceBoard;
  /** The main shared document. */
  readonly shared: SharedDocument;
  /** Opens a writer for an agent: the first of its writers here that nobody has open, else a new one. */
  openWriter(agent: string): Promise<OpenedWriter>;
  /** The agent that had this writer open has closed. */
  releaseWriter(writer: string): void;
  /** The latest record of every writer known here. */
  registers(): Map<string, RegisterRecord>;
  register(writer: string): RegisterRecord | undefined;
  readonly registerChanged: Emitter<string>;
  /** Whether this writer is open in this replica. */
  isHere(writer: string): boolean;
  /** How far an entry is known to have come; what others wrote came through the relay or another tab. */
  stageOf(id: string): "pending" | "local" | "relayed";
  /**
   * Resolves once the relay or another tab has told what this replica lacked; at once where there can be neither,
   * and after a second where there is no relay and no tab answers.
   */
  readonly caughtUp: Promise<void>;
  readonly online: Store<boolean>;
  readonly problems: Emitter<FlockError>;
  connect(): void;
  disconnect(): void;
  /** Tells the other tabs that this page goes away; should it come back, its next word takes that back. */
  depart(): void;
  /** Resolves when everything written and received so far is stored, or storing has failed. */
  flush(): Promise<void>;
  close(): Promise<void>;
}

export interface DocumentsOptions {
  room: string;
  principal: string;
  /** The first part of every database's name: tells rooms of different relays and principals apart. */
  prefix: string;
  persistence: Persistence;
  clock: Clock;
  random: RandomBytes;
  relay: { url: string; openSocket: OpenSocket; tokens: TokenSource | undefined } | undefined;
  openTabChannel: OpenTabChannel | undefined;
  /** Where sealed pages are kept. */
  pages: PageStore;
  retention: Retention;
}

/** Without a relay, a tab that nobody answers for this long is alone. */
const aloneAfterMs = 1_000;

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
  const { principal, prefix, persistence, clock, random } = options;
  const session = randomId(random);
  const problems = createEmitter<FlockError>();
  const log = createEntryLog();
  const hybrid: HybridClock = createHybridClock(clock);
  const records = await persistence.open(`${prefix}records`);
  scope.add(() => records.close());
  // Before the rows that it covers, because another tab may store more of both meanwhile.
  let cursor = parseCursor(await records.get(cursorKey));
  const hasJoined = !options.relay || cursor.epoch !== "";
  const received = await loadReceived(records, { log, hybrid, random });
  const registerChanged = received.registerChanged;
  // What closed tabs of this device wrote is in their writers' databases, and no relay sends it here again.
  const writersBefore = new Set(await listWriters(records));
  for (const id of writersBefore) {
    const store = await persistence.open(`${prefix}writer/${id}`);
    for await (const [name, update] of readWriter(id, store)) received.preload(name, update);
    await store.close();
  }

  let storage: StorageState = persistence.durable ? "ready" : "memory-only";
  const online = createStore(false);
  const shared = createSharedSet({ openDocument: openShared, onReceived: settle, onFailed: reportStorage });
  /** Whether a gap was met since the last whole join, and whether that join failed to fill one. */
  let gap: "none" | "asked" | "unfilled" = "none";
  /** Whether it was told that the token does not allow to write shared documents (true), or one's own (false). */
  const told = new Set<boolean>();
  let catchUp: () => void = () => {};
  const caughtUp = new Promise<void>((resolve) => {
    catchUp = resolve;
  });

  const saver = createSaver({
    records,
    takeUnsaved: () => received.takeUnsaved(),
    confirmShared: () => shared.confirm(),
    onStored: () => setStorage(persistence.durable ? "ready" : "memory-only"),
    onFailed: (error) => reportStorage(error),
  });

  function setStorage(next: StorageState): void {
    storage = next;
    refreshStatus();
  }

  function reportStorage(failure: unknown): void {
    setStorage("failed");
    problems.emit(
      isFlockError(failure)
        ? failure
        : new FlockError("crdt/storage-failed", "This device's storage failed.", { cause: failure }),
    );
  }

  function report(error: FlockError): void {
    if (error.code === "crdt/storage-failed") reportStorage(error);
    else if (!isTold(error)) problems.emit(error);
  }

  /** What a token does not allow is told once, not once for each document. */
  function isTold({ details }: FlockError): boolean {
    const { code, document } = details;
    if (code !== "edge/forbidden" || typeof document !== "string") return false;
    const isShared = document.startsWith("shared");
    if (told.has(isShared)) return true;
    told.add(isShared);
    return false;
  }

  // The relay -------------------------------------------------------------------------------------

  const link: RelayLink | undefined =
    options.relay &&
    createRelayLink({
      ...options.relay,
      principal,
      clock,
      random,
      events: {
        cursor: () => cursor,
        welcomed(epoch, resumed) {
          if (!resumed) cursor = { epoch, sequence: 0 };
        },
        message: receiveFromRelay,
        advanced(reached) {
          cursor = reached;
          saver.note(reached);
        },
        joined() {
          if (gap === "asked") gap = "none";
          shared.joined(cursor.epoch);
          pool.joined(cursor.epoch);
          online.set(true);
          catchUp();
        },
        released() {
          told.clear();
          shared.joined(cursor.epoch);
          pool.joined(cursor.epoch);
        },
        presences: (entries) => presence.heardRelay(entries),
        dropped() {
          shared.dropped();
          presence.lostRelay();
          online.set(false);
        },
        problem: report,
      },
    });

  function receiveFromRelay(name: string, payload: Uint8Array): void {
    const parsed = parseDocumentName(name);
    if (parsed.kind === "shared") {
      shared.receive(parsed, payload);
      return;
    }
    const message = decodeDocumentMessage(payload);
    if (message.type === "step1") pool.resync(parsed.writer, name, message.stateVector);
    else if ((message.type === "update" || message.type === "step2") && !pool.owns(name)) {
      settle(parsed, received.receive(parsed, message.update));
    }
  }

  /** What the guard did not let through is told, never asked for again; a gap is asked for again only once it was filled. */
  function settle(name: DocumentName, { result, ...refusal }: Received): void {
    if (result === "gap" && gap === "none") {
      gap = "asked";
      cursor = { epoch: "", sequence: 0 };
      link?.rejoin();
    } else if (result === "gap" || result === "refused") {
      if (result === "gap") gap = "unfilled";
      const { code = "gate/gap", message = "it rests on something that the relay does not have" } =
        refusal as Partial<Extract<Received, { result: "refused" }>>;
      problems.emit(
        new FlockError(code, `An update of ${name.name} was not applied: ${message}`, {
          details: { document: name.name },
        }),
      );
    }
  }

  // Documents and writers -------------------------------------------------------------------------

  async function openShared(name: string): Promise<SharedDocument> {
    const document = await openSharedDocument({
      name,
      databaseName: `${prefix}document/${name}`,
      persistence,
      records,
      link,
      clock,
      random,
      onPending: refreshStatus,
      onProblem: report,
    });
    document.changed.on((update) => tabs?.publish(name, update));
    scope.add(() => document.close());
    return document;
  }

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
    onStored: (name, update) => tabs?.publish(name, update),
    onRegisterChanged: (writer) => registerChanged.emit(writer),
    onWriters: (writers) => presence.setWriters(writers),
    onPending: refreshStatus,
    onProblem: report,
  });

  const main = await shared.open(sharedName());

  const presence = openPresence({
    session,
    clock,
    announce(own) {
      announceToRelay(own);
      tabs?.announce(own);
    },
  });
  scope.add(() => presence.close());
  announceToRelay(presence.own());

  /** The relay closes for good on a state that it can't take, so such a state stays here and is reported. */
  function announceToRelay(own: Presence): void {
    const state = JSON.stringify(own);
    if (toUtf8(state).length <= maxPresenceBytes && parsePresence(state)) {
      link?.announce(state);
      return;
    }
    problems.emit(
      new FlockError(
        "protocol/presence-too-large",
        `The presence of ${state.length} characters is not announced: keep it plain JSON within ${maxPresenceBytes} bytes.`,
      ),
    );
  }

  // Other tabs ------------------------------------------------------------------------------------

  const tabs: TabLink | undefined =
    options.openTabChannel &&
    openTabLink({
      name: prefix,
      session,
      clock,
      openChannel: options.openTabChannel,
      events: {
        have: () => [...received.stateVectors(), ...pool.stateVectors()],
        *lacks(documents) {
          for (const [name] of received.stateVectors()) {
            const update = received.missing(name, documents.get(name));
            if (update) yield [name, update];
          }
          for (const [name, document] of [...pool.documents(), ...sharedDocuments()]) {
            const update = missingOf(document, documents.get(name));
            if (update) yield [name, update];
          }
        },
        received: receiveFromTab,
        presence: (other) => presence.heardTab(other),
        left(other) {
          presence.lostTab(other);
          pool.tabLeft();
        },
        own: () => presence.own(),
        answered: catchUp,
      },
    });
  if (!tabs && !link) catchUp();
  if (tabs && !link) scope.add(clock.after(aloneAfterMs, catchUp));

  function* sharedDocuments(): Iterable<[string, SharedDocument["document"]]> {
    for (const { name, document } of shared) yield [name, document];
  }

  function receiveFromTab(name: string, update: Uint8Array): void {
    const parsed = readDocumentName(name);
    if (!parsed) return;
    if (parsed.kind === "shared") {
      if (shared.get(name)?.receiveFromTab(update).result === "gap") tabs?.ask();
      return;
    }
    if (pool.owns(name)) return;
    const { result } = received.receive(parsed, update);
    if (result === "applied") saver.note();
    if (result === "gap") tabs?.ask();
  }

  // Status ----------------------------------------------------------------------------------------

  const status = createStore<DocumentsStatus>({
    storage,
    network: "offline",
    pending: 0,
    halted: false,
  });
  function refreshStatus(): void {
    const pending = pool.pending + (link ? shared.pending : 0);
    const next: DocumentsStatus = {
      storage,
      network: link?.status.get() ?? "offline",
      pending,
      halted: link?.halted.get() ?? false,
    };
    const now = status.get();
    const keys = Object.keys(next) as (keyof DocumentsStatus)[];
    if (keys.some((key) => next[key] !== now[key])) status.set(next);
  }
  if (link) {
    scope.add(link.status.subscribe(refreshStatus));
    scope.add(link.halted.subscribe(refreshStatus));
  }
  refreshStatus();

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

  return {
    session,
    status,
    log,
    presence,
    shared: main,
    async openWriter(agent) {
      const opened = await pool.open(agent);
      // Before its first join a device knows of no others but what its own writers wrote.
      if (hasJoined || !opened.resumed) return opened;
      return { ...opened, resumed: false, knownLanes: writersBefore };
    },
    releaseWriter: (writer) => pool.release(writer),
    registers() {
      const all = new Map<string, RegisterRecord>();
      for (const writer of received.writers()) {
        const record = received.register(writer);
        if (record) all.set(writer, record);
      }
      for (const [writer, record] of pool.registers()) all.set(writer, record);
      return all;
    },
    register: (writer) => pool.register(writer) ?? received.register(writer),
    registerChanged,
    stageOf(id) {
      const address = parseEntryId(id);
      return (address && pool.stageOf(address)) ?? "relayed";
    },
    isHere: (writer) => pool.isOpen(writer),
    caughtUp,
    online,
    problems,
    connect() {
      gap = "none";
      link?.connect();
    },
    disconnect: () => link?.disconnect(),
    depart: () => tabs?.depart(),
    async flush() {
      await pool.flush();
      await saver.flush();
      await shared.confirm();
    },
    close() {
      closing ??= closeInOrder();
      return closing;
    },
  };
}

function parseCursor(value: unknown): Cursor {
  if (typeof value === "object" && value !== null && "epoch" in value && "sequence" in value) {
    const { epoch, sequence } = value;
    if (typeof epoch === "string" && typeof sequence === "number") return { epoch, sequence };
  }
  return { epoch: "", sequence: 0 };
}
