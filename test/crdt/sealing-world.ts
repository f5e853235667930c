import * as Y from "yjs";
import {
  createHybridClock,
  createStore,
  type ErrorCode,
  FlockError,
  sha256Hex,
} from "../../src/base/index.ts";
import { defaultLaneLimits, defaultRetention, type PageStore, type Retention } from "../../src/crdt/index.ts";
import { createEntryLog } from "../../src/crdt/lanes/entry-log.ts";
import { createPage, type Page } from "../../src/crdt/lanes/page.ts";
import { createInMemoryPersistence } from "../../src/crdt/persistence/in-memory.ts";
import type { KeyValueStore } from "../../src/crdt/persistence/port.ts";
import type { LinkState } from "../../src/crdt/transports/port.ts";
import type { RelayLink } from "../../src/crdt/transports/relay-link.ts";
import type { UploadOutcome } from "../../src/crdt/transports/uploads.ts";
import { createRegister, type Register } from "../../src/crdt/writers/register.ts";
import { openWriter } from "../../src/crdt/writers/writer.ts";
import {
  type Batch,
  decodeBatch,
  decodeDocumentMessage,
  decodeSeal,
  formatPageName,
  type Json,
  type LaneMarks,
  maxPageBytes,
  maxPageEntries,
  parseDocumentName,
  parseEntryId,
} from "../../src/protocol/index.ts";
import { createManualClock } from "../refstore/manual-clock.ts";
import { random, register, writerName } from "./writer-harness.ts";

/** A window of one whole page. */
export const limits = { ...defaultLaneLimits, liveEntries: maxPageEntries, liveBytes: maxPageBytes };

/** What a relay has: documents and sealed pages; all that a reader elsewhere can ever see. */
export interface ModelRelay {
  readonly register: Register;
  readonly pages: Map<string, { page: Page; heads: string[] }>;
  readonly seals: Map<string, Sealed>;
  /** Names of documents in the order of their drops. */
  readonly drops: string[];
  /** Answers each drop with this outcome. */
  answersDrops: UploadOutcome | undefined;
  /** What each deletion, and each put on the device, fails with. */
  failsDeletions: ErrorCode | undefined;
  failsPuts: ErrorCode | undefined;
  /** Says that it has a register, or a seal, before it does: what a sealer that does not wait would do. */
  lies: "register" | "seal" | undefined;
}

/** A sealed page as a reader takes it. */
export interface Sealed {
  heads: string[];
  previous: Batch["previous"];
}

/** How a writer is opened. */
export interface SessionOptions {
  /** Default true. */
  online?: boolean;
  alone?: boolean;
  /** Durable steps, here or at the relay, until the device dies. Default never. */
  diesAfter?: number;
  retention?: Partial<Retention>;
  startMs?: number;
  /** The relay's storage; default the first. */
  epoch?: string;
  /** Whether an agent opens it, or somebody who only sends; default true. */
  isAgent?: boolean;
}

/** Waits until the condition holds; a hash comes from another thread, and may take many turns of a busy machine. */
export async function eventually(
  holds: () => boolean | Promise<boolean>,
  what = "the condition",
): Promise<void> {
  for (let turns = 0; turns < 10_000; turns++) {
    if (await holds()) return;
    await new Promise((resume) => setTimeout(resume, 1));
  }
  throw new Error(`Waited in vain for ${what}.`);
}

const text = "x".repeat(100_000);

/** A device and a relay, as far as one writer goes, over any number of sessions. */
export function createWorld() {
  const persistence = createInMemoryPersistence();
  const device = new Map<string, Uint8Array>();
  const relay: ModelRelay = {
    register: createRegister(),
    pages: new Map(),
    seals: new Map(),
    drops: [],
    answersDrops: undefined,
    failsDeletions: undefined,
    failsPuts: undefined,
    lies: undefined,
  };
  /** What the relay has acknowledged, by the number of its page: a reader must find it, or be told that it is past. */
  const promised = new Map<string, number>();
  const lost: string[] = [];
  let steps = 0;

  const marks = (): LaneMarks | undefined => relay.register.get()?.lane;

  /** Names of the pages that the relay has as documents. */
  function livePages(): string[] {
    return [...relay.pages.keys()].sort((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10));
  }

  /** The heads of the entries that a reader finds at the relay, oldest first: through the seals, then the documents. */
  function readable(): string[] {
    const found: string[] = [];
    const { low = 0, first = 0, head } = marks() ?? {};
    let next: { page: string; hash: string } | undefined = head;
    while (next && Number.parseInt(next.page, 10) >= first) {
      const sealed = relay.seals.get(next.hash);
      if (!sealed) break;
      found.unshift(...sealed.heads);
      const { previous } = sealed;
      next = previous?.seal && { page: formatPageName(previous.page), hash: previous.seal.hash };
    }
    for (const page of livePages()) {
      if (Number.parseInt(page, 10) >= low) found.push(...(relay.pages.get(page)?.heads ?? []));
    }
    return found;
  }

  function keepUpdate(name: string, update: Uint8Array): void {
    const parsed = parseDocumentName(name);
    if (parsed.kind !== "lane") {
      Y.applyUpdate(relay.register.document, update);
      return;
    }
    const text = formatPageName(parsed.page);
    const held = relay.pages.get(text) ?? { page: createPage(parsed.page), heads: [] };
    relay.pages.set(text, held);
    Y.applyUpdate(held.page.document, update);
    held.heads.push(...headsOf(held.page.read()));
  }

  function keepSeal(hash: string): void {
    const batches = decodeSeal(device.get(hash) as Uint8Array).map(decodeBatch);
    relay.seals.set(hash, { heads: headsOf(batches), previous: batches[0]?.previous });
  }

  function check(): void {
    const found = new Set(readable());
    const { first = 0 } = marks() ?? {};
    for (const [each, number] of promised) if (number >= first && !found.has(each)) lost.push(each);
  }

  async function databaseKeys(): Promise<string[]> {
    const records = await persistence.open(`writer/${writerName}`);
    return (await records.entries("")).map(([key]) => key);
  }

  async function open(options: SessionOptions = {}) {
    const { alone = false, diesAfter = Number.POSITIVE_INFINITY, startMs = 1_000 } = options;
    const clock = createManualClock(startMs);
    const log = createEntryLog();
    const problems: FlockError[] = [];
    const status = createStore<LinkState>((options.online ?? true) ? "online" : "offline");
    const wakes = new Set<() => void>();
    let taken = 0;
    let dead = false;
    let die: () => void = () => {};
    const death = new Promise<void>((resolve) => {
      die = resolve;
    });
    const never = new Promise<never>(() => undefined);

    /** One durable step; a device that is dead takes none, and hears of none. */
    async function step<T>(take: () => T): Promise<T> {
      if (dead) return never;
      if (++taken > diesAfter) {
        dead = true;
        die();
        return never;
      }
      steps++;
      return take();
    }

    async function hear<T>(answer: T): Promise<T> {
      return dead ? never : answer;
    }

    async function whenOnline(signal?: AbortSignal): Promise<void> {
      while (status.get() !== "online") {
        await new Promise<void>((resolve, reject) => {
          wakes.add(resolve);
          signal?.addEventListener("abort", () => reject(signal.reason), { once: true });
        });
      }
    }

    async function upload(name: string, payload: Uint8Array): Promise<UploadOutcome> {
      if (status.get() !== "online") return { kind: "lost" };
      const message = decodeDocumentMessage(payload);
      await Promise.resolve();
      if (message.type === "drop" && relay.answersDrops) return relay.answersDrops;
      const keep = () => {
        if (message.type === "drop") {
          relay.drops.push(name);
          relay.pages.delete(name.split("/")[2] as string);
        } else if (message.type === "update") {
          keepUpdate(name, message.update);
        }
        check();
      };
      if (relay.lies === "register" && name.startsWith("register/")) setTimeout(() => void step(keep), 30);
      else await step(keep);
      return hear({ kind: "acknowledged" });
    }

    const link: RelayLink = {
      status,
      halted: createStore(false),
      allows: () => true,
      connect() {},
      disconnect() {},
      rejoin() {},
      announce() {},
      signal: () => false,
      send() {},
      upload,
    };

    const pages: PageStore = {
      async put(seal) {
        if (relay.failsPuts) throw new FlockError(relay.failsPuts, "No room.");
        const hash = await sha256Hex(seal);
        await step(() => device.set(hash, seal));
        return hear(hash);
      },
      async relayed(hash, { signal } = {}) {
        if (alone) return;
        await whenOnline(signal);
        const keep = () => keepSeal(hash);
        if (relay.lies === "seal") setTimeout(() => void step(keep), 30);
        else if (!relay.seals.has(hash)) await step(keep);
        await hear(undefined);
      },
      async restore(hash) {
        if (status.get() !== "online") throw new FlockError("refstore/unavailable", "Offline.");
        if (relay.seals.has(hash) || !device.has(hash)) return;
        await step(() => keepSeal(hash));
        await hear(undefined);
      },
      async get(hash) {
        const seal = device.get(hash);
        if (!seal) throw new FlockError("refstore/not-found", "No such seal.");
        return seal;
      },
      async delete(hash) {
        if (!alone && status.get() !== "online") throw new FlockError("refstore/unavailable", "Offline.");
        if (relay.failsDeletions) throw new FlockError(relay.failsDeletions, "Not now.");
        await step(() => {
          relay.seals.delete(hash);
          device.delete(hash);
          check();
        });
        await hear(undefined);
      },
    };

    const disk = { fails: false };
    const database = await persistence.open(`writer/${writerName}`);
    const records: KeyValueStore = {
      ...database,
      async write(change) {
        if (disk.fails) throw new FlockError("crdt/storage-failed", "The disk is full.");
        await step(() => undefined);
        await database.write(change);
        await hear(undefined);
      },
    };

    const writer = await openWriter({
      id: writerName,
      records,
      log,
      hybrid: createHybridClock(clock),
      clock,
      random,
      link: alone ? undefined : link,
      pages,
      retention: { ...defaultRetention, ...options.retention },
      limits,
      onPending: () => undefined,
      onProblem: (error) => problems.push(error),
    });
    if (options.isAgent ?? true) writer.setRegister(register());
    clock.advance(50);

    const session = {
      writer,
      clock,
      log,
      problems,
      /** Whether this device's database refuses writes. */
      disk,
      isDead: () => dead,
      /** Closes, or dies while it does. */
      close: () => Promise.race([writer.close(), death]),
      /** Appends bodies in ticks of their own; each is 100 kB, so that two of them fill a page. */
      async write(heads: readonly string[]) {
        for (const head of heads) {
          const written = writer.append({ kind: "note", parents: [], body: `${head}:${text}` });
          void written.settled("relayed").then(
            () => promised.set(head, parseEntryId(written.id)?.page.number ?? 0),
            () => undefined,
          );
          await Promise.race([written.settled("local"), death]);
        }
      },
      /** Lets the time pass in which nothing is sealed, because nobody can tell what is held. */
      look: () => clock.advance(10_000),
      go(next: "online" | "offline", epoch = "epoch") {
        status.set(next);
        if (next === "offline") return;
        for (const wake of wakes) wake();
        wakes.clear();
        writer.joined(epoch);
      },
      bodies: () =>
        log.pages(writerName).flatMap(({ entries }) => entries.map(({ body }) => headOfBody(body))),
      low: () => writer.register()?.lane?.low ?? 0,
    };
    if (status.get() === "online") writer.joined(options.epoch ?? "epoch");
    return session;
  }

  return {
    open,
    relay,
    device,
    persistence,
    marks,
    livePages,
    readable,
    databaseKeys,
    /** Entries that the relay had acknowledged and that a reader could not find at some time. */
    lost,
    get steps() {
      return steps;
    },
  };
}

function headsOf(batches: readonly Batch[]): string[] {
  return batches.flatMap(({ entries }) => entries.map(({ body }) => headOfBody(body)));
}

function headOfBody(body: Json): string {
  return String(body).split(":")[0] as string;
}

export type World = ReturnType<typeof createWorld>;

export const heads = (count: number, from = 0): string[] =>
  Array.from({ length: count }, (_, index) => `${from + index}`);
export const numbers = (pages: readonly string[]) => pages.map((page) => Number.parseInt(page, 10));
export const pageKeys = (keys: readonly string[]) => [
  ...new Set(keys.filter((key) => key.startsWith("page/")).map((key) => Number.parseInt(key.slice(5), 10))),
];

/** Until the pages below `low` are gone from the relay and from the database. */
export function untilSealed(world: World, low: number): Promise<void> {
  return eventually(
    async () =>
      world.marks()?.low === low &&
      numbers(world.livePages()).every((number) => number >= low) &&
      pageKeys(await world.databaseKeys()).every((number) => number >= low),
    `the mark ${low}`,
  );
}

/** Lets everything happen that is going to. */
export async function rest(world: World): Promise<void> {
  for (let quiet = 0, before = world.steps; quiet < 50; quiet++) {
    await new Promise((resume) => setTimeout(resume, 1));
    if (world.steps !== before) quiet = 0;
    before = world.steps;
  }
}
