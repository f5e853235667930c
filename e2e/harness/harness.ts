import {
  type Agent,
  type Message,
  openRoom,
  type RoomPlatform,
  type StorageFailure,
  storageFailureOf,
  type View,
} from "flockstate";
import { withUpdates } from "../../test/crdt/persistence/indexeddb-faults.ts";
import { type ContractResult, type ContractSuite, runContract } from "./contracts.ts";
import {
  foldHistory,
  numberOf,
  readHistory,
  type SayOptions,
  say,
  storedPages,
  storedState,
} from "./lanes.ts";
import { type Calls, createCalls } from "./service.ts";
import { type HarnessRoom, harnessState, type Report, reportOf } from "./state.ts";
import { openStockClient, type StockClient } from "./stock-client.ts";
import { createTokens, type Tokens } from "./tokens.ts";
import { startTraffic, type Traffic } from "./traffic.ts";
import { openVersion, type Version, type VersionedPeople } from "./versions.ts";
import { type HarnessViews, openHarnessView, type ViewReport, viewReport } from "./views.ts";
import { createWorkshop, type WorkOptions, type Workshop } from "./worker.ts";

/** A message that a handler has finished. */
export interface Handled {
  readonly id: string;
  /** The name of the agent that handled it. */
  readonly agent: string;
  readonly type: string;
  readonly content: unknown;
}

/** What a test opens in a page. */
export interface OpenOptions {
  readonly room: string;
  readonly relay: string;
  readonly agents: readonly string[];
  /** Whom the tokens speak for that the test gives with `fetchToken`; without it there are none. */
  readonly principal?: string;
  /** How long pages of lanes become and how much of them stays live; default as for everybody. */
  readonly lanes?: NonNullable<RoomPlatform["lanes"]>;
}

/** The page's side of the tests: one open room, and what was seen in it. */
export interface Harness {
  readonly room: HarnessRoom;
  /** The traffic of `startTraffic`. */
  readonly traffic: Traffic;
  /** The client of `openStock`. */
  readonly stock: StockClient;
  /** One of the agents that `open` or `work` opened. */
  agentNamed(name: string): Agent;
  /** What handlers do as the messages' jobs say. */
  readonly workshop: Workshop;
  /** Calls of the harness' service. */
  readonly calls: Calls;
  /** A stream of tokens: written, or read. */
  readonly tokens: Tokens;
  /** Has an agent take jobs; opens it where it is not open yet. */
  work(agent: string, options: WorkOptions): Promise<void>;
  /** Messages that handlers have finished in this page, in order; handlers of a test add to it themselves. */
  readonly handled: Handled[];
  /** Codes of the problems that the room told of. */
  readonly problems: readonly string[];
  /** Why storage failed since `watchFailures`. */
  readonly failures: readonly StorageFailure[];
  watchFailures(): void;
  /** The bytes of updates in a shared document's database. */
  updateBytes(database: string): Promise<number>;
  /** Opens the room, and agents that take every message sent to them. */
  open(options: OpenOptions): Promise<void>;
  report(): Report;
  messageIds(): string[];
  /** What a page without any network or other tab would find on this device. */
  stored(): Promise<{ report: Report; messageIds: string[] }>;
  /** Sends numbered messages as an agent; gives their ids. */
  say(agent: string, options: SayOptions): Promise<string[]>;
  /** Every message that there ever was, read back where it is sealed: its id and its number. */
  history(): Promise<{ ids: string[]; numbers: number[] }>;
  /** The ids of the same, as a moment after all of them folds them. */
  foldHistory(): Promise<string[]>;
  /** The names of the lanes' pages that this device has rows of. */
  storedPages(): Promise<string[]>;
  /** The state of a key as the snapshot of a view has it on this device. */
  storedState(view: keyof HarnessViews, key: string): Promise<unknown>;
  /** Opens a view; resolves once it holds all that it is opened over. */
  openView(name: keyof HarnessViews): Promise<void>;
  viewReport(name: keyof HarnessViews): ViewReport;
  /** A view of `openView`. */
  view<Name extends keyof HarnessViews>(name: Name): View<HarnessViews[Name]>;
  /** Writes without pause until it is stopped, and keeps book of what the relay has acknowledged. */
  startTraffic(agent: string): void;
  /** Opens a room as a version of an application does, apart from `open`. */
  openVersion(version: Version, options: { room: string; relay: string }): Promise<void>;
  /** What `openVersion` opened. */
  readonly people: VersionedPeople;
  /** Joins the document `shared` below this address with nothing of ours; resolves when it is synced. */
  openStock(base: string): Promise<void>;
  /** Runs the cases of a contract here; `references` is the address below which the relay keeps a room's. */
  runContract(suite: ContractSuite, references: string): Promise<ContractResult[]>;
  /** Bytes that look random and are the same for the same seed. */
  bytes(length: number, seed: number): Uint8Array<ArrayBuffer>;
  /** The same as text. */
  text(length: number, seed: number): string;
  sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string>;
}

declare global {
  var harness: Harness;
  /** The application's backend: the test exposes it to the page. */
  var fetchToken: (principal: string) => Promise<string>;
}

let opened: { options: OpenOptions; room: HarnessRoom } | undefined;
let traffic: Traffic | undefined;
let stock: StockClient | undefined;
let people: VersionedPeople | undefined;
const agents: Record<string, Agent> = {};
const views: { [Name in keyof HarnessViews]?: View<HarnessViews[Name]> } = {};
const handled: Handled[] = [];
const problems: string[] = [];
const failures: StorageFailure[] = [];
const workshop = createWorkshop();
const calls = createCalls();
const tokens = createTokens();

/** Neither the relay nor another tab answers: what is there was on the device. */
const alone: RoomPlatform = {
  openTabChannel: false,
  openSocket: () => ({ send: () => undefined, close: () => undefined }),
};

/** Returns what was opened before; a test that uses it earlier is mistaken. */
function made<T>(value: T | undefined): T {
  if (value === undefined) throw new Error("This page has not opened it yet.");
  return value;
}

function current(): HarnessRoom {
  return made(opened).room;
}

async function open(options: OpenOptions): Promise<void> {
  const { principal, lanes } = options;
  const room = await openRoom(options.room, {
    relay: options.relay,
    state: harnessState,
    ...(principal !== undefined && { principal, token: () => fetchToken(principal) }),
    ...(lanes && { platform: { lanes } }),
  });
  room.onProblem(({ code }) => problems.push(code));
  opened = { options, room };
  for (const name of options.agents) {
    const agent = await room.agent(name);
    agents[name] = agent;
    agent.onMessage({}, ({ id, type, content }) => handled.push({ id, agent: name, type, content }));
  }
}

function idsOf(messages: readonly Message[]): string[] {
  return messages.map(({ id }) => id);
}

function bytes(length: number, seed: number): Uint8Array<ArrayBuffer> {
  const made = new Uint8Array(length);
  let state = seed >>> 0;
  for (let index = 0; index < length; index++) {
    // Numerical Recipes' linear congruential generator; its high bits are the good ones.
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    made[index] = state >>> 24;
  }
  return made;
}

globalThis.harness = {
  get room() {
    return current();
  },
  get traffic() {
    return made(traffic);
  },
  get stock() {
    return made(stock);
  },
  agentNamed: (name) => made(agents[name]),
  workshop,
  calls,
  tokens,
  async work(name, options) {
    const agent = agents[name] ?? (await current().agent(name));
    agents[name] = agent;
    workshop.open(agent, options);
  },
  handled,
  problems,
  failures,
  watchFailures() {
    current().onProblem((problem) => {
      const reason = storageFailureOf(problem);
      if (reason) failures.push(reason);
    });
  },
  async updateBytes(database) {
    const updates = await withUpdates<Uint8Array[]>(indexedDB, database, (store) => store.getAll());
    return updates.reduce((sum, { length }) => sum + length, 0);
  },
  open,
  report: () => reportOf(current()),
  messageIds: () => idsOf(current().messages.get()),
  async stored() {
    const { room: id, relay } = made(opened).options;
    const room = await openRoom(id, { relay, state: harnessState, platform: alone });
    try {
      return { report: reportOf(room), messageIds: idsOf(room.messages.get()) };
    } finally {
      await room.close();
    }
  },
  say: (name, options) => say(made(agents[name]), options),
  async history() {
    const messages = await readHistory(current());
    return { ids: idsOf(messages), numbers: messages.map(numberOf) };
  },
  foldHistory: async () => idsOf(await foldHistory(current())),
  storedPages,
  storedState,
  async openView(name) {
    const view = openHarnessView(current(), name);
    Object.assign(views, { [name]: view });
    await view.ready;
  },
  viewReport: (name) => viewReport(name, made(views[name]) as View<HarnessViews[typeof name]>),
  view: (name) => made(views[name]) as View<HarnessViews[typeof name]>,
  startTraffic(name) {
    traffic = startTraffic(current(), made(agents[name]));
  },
  async openVersion(version, options) {
    people = await openVersion(version, options);
  },
  get people() {
    return made(people);
  },
  async openStock(base) {
    stock = await openStockClient(base);
  },
  runContract,
  bytes,
  text: (length, seed) => new TextDecoder().decode(bytes(length, seed).map((byte) => 97 + (byte % 26))),
  async sha256(bytes) {
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
    return [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  },
};
