import * as Y from "yjs";
import * as z from "zod/mini";
import {
  type Clock,
  createEmitter,
  type Emitter,
  type ErrorCode,
  FlockError,
  isFlockError,
  type RandomBytes,
  sha256Hex,
  type Undo,
} from "../../base/index.ts";
import { decodeClocks, decodeDocumentMessage, parseDocumentName } from "../../protocol/index.ts";
import type { KeyValueStore, Persistence, SharedStore, StoredValue } from "../persistence/port.ts";
import { randomClient } from "../random-client.ts";
import type { RelayLink } from "../transports/relay-link.ts";
import { openSharedChannel } from "../transports/shared-channel.ts";
import { createWatermark } from "../watermark.ts";
import { createWrite, type Write } from "../write.ts";
import { createGuard, type Received } from "./guard.ts";
import { type OwnClients, openOwnClients } from "./own-clients.ts";
import { createSharedUploads, type UploadSource } from "./shared-uploads.ts";

/** A document that everybody may edit: loaded from this device, kept there, and exchanged with the relay. */
export interface SharedDocument {
  readonly name: string;
  readonly document: Y.Doc;
  /** A handle on everything written here so far. */
  write(): Write;
  /** Changes made here that the relay has not acknowledged. */
  readonly pending: number;
  /** A change made here, as an update for other tabs. */
  readonly changed: Emitter<Uint8Array>;
  /** Takes a message that came from the relay. */
  receiveFromRelay(payload: Uint8Array): Received;
  /** Takes an update that came from another tab. */
  receiveFromTab(update: Uint8Array): Received;
  /** The link has joined; a relay with another epoch than the last has lost what it had. */
  joined(epoch: string): void;
  dropped(): void;
  /** Resolves once everything here is in this device's database. */
  confirm(): Promise<void>;
  close(): Promise<void>;
}

export interface SharedDocumentOptions {
  name: string;
  /** The database that keeps the document. */
  databaseName: string;
  persistence: Persistence;
  /** The room's database, which remembers what the relay had. */
  records: KeyValueStore;
  link: RelayLink | undefined;
  clock: Clock;
  random: RandomBytes;
  onPending(): void;
  onProblem(error: FlockError): void;
}

/** Where a channel's updates come from besides the people and agents here. */
const fromTab = Symbol("another tab");
/** Before the keys of what the relay had, in the room's database. */
export const relayedPrefix = "relayed/";
const digestAfterMs = 2_000;
/** Rows come in bursts; what waited for them is offered again after the burst. */
const askAfterMs = 1_000;

/**
 * Opens a shared document; resolves once what the device has is in it.
 *
 * @throws `crdt/storage-failed`
 */
export async function openSharedDocument(options: SharedDocumentOptions): Promise<SharedDocument> {
  const { name, persistence, records, link, clock, random, onPending, onProblem } = options;
  const document = new Y.Doc();
  const guard = createGuard(parseDocumentName(name), document);
  const client = randomClient(random);
  document.clientID = client;
  const changed = createEmitter<Uint8Array>();
  const store = persistence.attach(options.databaseName, document);
  const own = await openOwn(store);

  // Deletions are not in state vectors, so what the relay has is remembered as a digest of the whole snapshot.
  const relayedKey = `${relayedPrefix}${name}`;
  const remembered = parseRelayed(await records.get(relayedKey));
  /** The relay's storage that has what was acknowledged. */
  let relayEpoch = remembered.epoch;
  let revision = (await digest()) === (remembered.digest ?? (await emptyDigest())) ? 0 : 1;
  const relayed = createWatermark(0);
  /** The code of a refusal for good. */
  let refused: string | undefined;
  let cancelDigest: Undo = () => {};

  async function digest(): Promise<string> {
    return sha256Hex(Y.encodeSnapshot(Y.snapshot(document)));
  }

  /** Of the present update. */
  let source: UploadSource = "here";
  let ready: Promise<void> | undefined;
  let hasWritten = false;

  const note = (update: Uint8Array, origin: unknown, _: Y.Doc, transaction: Y.Transaction): void => {
    if (channel && origin === channel.origin) {
      scheduleDigest();
      return;
    }
    revision++;
    source = origin === fromTab ? "tab" : "here";
    ready = source === "here" ? own.add(clientsIn(transaction)) : undefined;
    onPending();
    if (source === "tab") return;
    hasWritten = true;
    if (ready) void ready.then(() => changed.emit(update));
    else changed.emit(update);
  };
  // Before the provider's own listener, so that an upload counts the change that caused it.
  document.on("update", note);
  const uploads =
    link &&
    createSharedUploads({
      name,
      link,
      own,
      later: (task) => clock.after(askAfterMs, task),
      onRelayed(upTo) {
        relayed.advance(upTo);
        scheduleDigest();
        onPending();
      },
      onRefused: refuse,
    });
  const channel =
    uploads &&
    openSharedChannel({
      name,
      document,
      onUpload: (update, whole) =>
        uploads.offer(update, whole ? "exchange" : source, revision, whole ? own.add([]) : ready),
    });

  /** Loads the document, and takes up the client that writes here: it is own before it has written anything. */
  async function openOwn(loading: SharedStore): Promise<OwnClients> {
    try {
      await loading.loaded;
      const opened = await openOwnClients({ name, records, onFailed: reportStorage });
      await opened.add([client]);
      return opened;
    } catch (failure) {
      await loading.close();
      throw failure;
    }
  }

  function reportStorage(cause: unknown): void {
    onProblem(
      isFlockError(cause)
        ? cause
        : new FlockError("crdt/storage-failed", `This device did not note who wrote ${name}.`, { cause }),
    );
  }

  /** Stops uploading: a Yjs client's later changes rest on the refused one. The edit stays here. */
  function refuse(code: string, message: string): void {
    refused = code;
    channel?.dropped();
    const error = new FlockError(
      "crdt/refused",
      `The relay refused a change of ${name} (${code}): ${message}`,
      {
        details: { code: code as ErrorCode, document: name },
      },
    );
    relayed.fail(error);
    onProblem(error);
  }

  function scheduleDigest(): void {
    cancelDigest();
    cancelDigest = clock.after(digestAfterMs, () => void rememberRelayed().catch(() => undefined));
  }

  /** Losing this costs one superfluous upload at the next start, no data. */
  async function rememberRelayed(): Promise<void> {
    cancelDigest();
    if (relayed.value < revision || refused) return;
    await records.write({ put: [[relayedKey, { epoch: relayEpoch, digest: await digest() }]] });
  }

  /** The revision that holds every change made so far; those of an open transaction count when it ends. */
  function afterTransaction(): Promise<number> {
    if (!document._transaction) return Promise.resolve(revision);
    return new Promise((resolve) => document.once("afterAllTransactions", () => resolve(revision)));
  }

  function receive(update: Uint8Array, apply: () => void): Received {
    const received = guard(update);
    if (received.result === "applied") apply();
    return received;
  }

  return {
    name,
    document,
    changed,
    get pending() {
      return revision - relayed.value;
    },
    write() {
      const target = afterTransaction();
      return createWrite({
        local: () => target.then(() => store.confirm()),
        relayed: () => target.then((reached) => relayed.reached(reached)),
      });
    },
    receiveFromRelay(payload) {
      const message = decodeDocumentMessage(payload);
      if (message.type !== "update" && message.type !== "step2") {
        if (message.type === "step1" && !refused && uploads?.answers(decodeClocks(message.stateVector))) {
          channel?.receive(message);
        }
        return { result: "known" };
      }
      uploads?.arrived();
      return receive(message.update, () => channel?.receive({ type: "update", update: message.update }));
    },
    receiveFromTab: (update) => receive(update, () => Y.applyUpdate(document, update, fromTab)),
    joined(epoch) {
      // Before the first join all that is here came from this device, and is counted, or from this very relay.
      if (relayEpoch !== "" && epoch !== relayEpoch) revision++;
      relayEpoch = epoch;
      // Another token may allow what the last one did not.
      if (refused === "edge/forbidden" && link?.allows("write:shared")) refused = undefined;
      if (refused) return;
      const isClean = relayed.value >= revision;
      uploads?.reset();
      channel?.joined(isClean);
      if (!isClean) uploads?.ask();
    },
    dropped() {
      uploads?.reset();
      channel?.dropped();
    },
    confirm: () => store.confirm(),
    async close() {
      document.off("update", note);
      uploads?.reset();
      channel?.close();
      relayed.fail(
        new FlockError("crdt/closed", `The document ${name} was closed before the relay acknowledged.`),
      );
      await rememberRelayed();
      if (!hasWritten) await own.remove(client).catch(reportStorage);
      await store.close();
      document.destroy();
    },
  };
}

/** The Yjs clients whose structs a transaction brought. */
function clientsIn({ beforeState, afterState }: Y.Transaction): number[] {
  const clients: number[] = [];
  for (const [client, clock] of afterState) if ((beforeState.get(client) ?? 0) < clock) clients.push(client);
  return clients;
}

const relayedSchema = z.object({ epoch: z.string(), digest: z.optional(z.string()) });

function parseRelayed(value: StoredValue | undefined): z.infer<typeof relayedSchema> {
  const parsed = z.safeParse(relayedSchema, value);
  return parsed.success ? parsed.data : { epoch: "" };
}

async function emptyDigest(): Promise<string> {
  return sha256Hex(Y.encodeSnapshot(Y.emptySnapshot));
}
