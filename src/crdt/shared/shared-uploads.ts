import * as Y from "yjs";
import {
  cutUpdate,
  emptyStateVector,
  encodeDocumentMessage,
  isResync,
  sliceUpdate,
} from "../../protocol/index.ts";
import type { RelayLink } from "../transports/relay-link.ts";
import type { UploadOutcome } from "../transports/uploads.ts";
import type { OwnClients } from "./own-clients.ts";

/** Where an update for the relay comes from: a change here, another tab's, or all that the relay lacks. */
export type UploadSource = "here" | "tab" | "exchange";

/** What goes to the relay of one shared document, in order. */
export interface SharedUploads {
  /** Offers an update; `revision` counts the changes that are in it and before it, and it waits for `ready`. */
  offer(update: Uint8Array, source: UploadSource, revision: number, ready: Promise<void> | undefined): void;
  /** Whether the relay's clocks are to be answered with all that it lacks; if so, they are taken up. */
  answers(clocks: ReadonlyMap<number, number>): boolean;
  /** Asks the relay for its clocks. */
  ask(): void;
  /** Rows of the document have come: what had to wait for them is offered again. */
  arrived(): void;
  /** Forgets what belongs to a connection that is gone. */
  reset(): void;
}

export interface SharedUploadsOptions {
  name: string;
  link: Pick<RelayLink, "upload" | "send" | "allows">;
  own: OwnClients;
  /** Runs a task after a while; the result cancels it. */
  later(task: () => void): () => void;
  /** The relay has every change up to this revision. */
  onRelayed(revision: number): void;
  onRefused(code: string, message: string): void;
}

interface Job {
  update: Uint8Array;
  source: UploadSource;
  revision: number;
  ready: Promise<void> | undefined;
}

/**
 * Creates the uploads. Only structs of this principal's own clients are sent, or everything with the scope `admin`: nobody
 * else may write as them. What rests on structs that the relay has lost waits until somebody has brought those.
 */
export function createSharedUploads(options: SharedUploadsOptions): SharedUploads {
  const { name, link, own, later, onRelayed, onRefused } = options;
  let jobs: Job[] = [];
  let connection = {};
  let running = false;
  let relayClocks: ReadonlyMap<number, number> = new Map();
  let uploads = 0;
  /** The newest upload after which the relay may lack something, and the newest acknowledged one that held all. */
  let lackingAt = 0;
  let wholeAt = 0;
  let exchanging = false;
  /** Clocks came during an exchange, and were not answered. */
  let unanswered = false;
  /** The last exchange left something behind that only others' structs can bring on. */
  let waits = false;
  /** Rows have come since the clocks that the last exchange answered. */
  let isNews = false;
  let cancelAsk: (() => void) | undefined;

  function ask(): void {
    link.send(name, encodeDocumentMessage({ type: "step1", stateVector: emptyStateVector }));
  }

  /** Rows come in bursts: the question waits for the end of one. */
  function askAfterNews(): void {
    if (!waits || exchanging || !isNews) return;
    cancelAsk ??= later(() => {
      cancelAsk = undefined;
      ask();
    });
  }

  /** In order, and at once where nothing has to be waited for. */
  async function run(): Promise<void> {
    if (running) return;
    running = true;
    const current = connection;
    for (let job = jobs.shift(); job; job = jobs.shift()) {
      if (job.ready) await job.ready;
      // Another tab's client is remembered before its changes are told.
      if (needsOwners(job)) await own.refresh().catch(() => undefined);
      if (current !== connection) return;
      transmit(job);
    }
    running = false;
  }

  function needsOwners({ update, source }: Job): boolean {
    return source !== "here" && !isOwn(update);
  }

  function isOwn(update: Uint8Array): boolean {
    return [...Y.parseUpdateMeta(update).from.keys()].every(own.has);
  }

  function transmit({ update, source, revision }: Job): void {
    const isExchange = source === "exchange";
    const cut =
      source === "here" || link.allows("admin")
        ? { update, whole: true }
        : cutUpdate(update, { owns: own.has, ...(isExchange && { known: relayClocks }) });
    uploads++;
    if (!link.allows("write:shared") && source !== "here" && cut.update[0] === 0) {
      // Without a struct of its own a reader has nothing to say; deletions it knows from the relay.
      exchanging = false;
      onRelayed(revision);
      return;
    }
    // Clients of others that an administrator brings back are not to become its own, nor its own ones nobody's.
    const type = source === "here" || isOwn(cut.update) ? "update" : "step2";
    const slices = sliceUpdate(cut.update).map((slice) =>
      link.upload(name, encodeDocumentMessage({ type, update: slice })),
    );
    void follow(Promise.all(slices), uploads, { isExchange, revision, whole: cut.whole });
  }

  async function follow(
    upload: Promise<UploadOutcome[]>,
    number: number,
    { isExchange, revision, whole }: { isExchange: boolean; revision: number; whole: boolean },
  ): Promise<void> {
    const current = connection;
    const outcome = worst(await upload);
    // Whatever became of it, the exchange of the next connection tells.
    if (current !== connection) return;
    if (isExchange) exchanging = false;
    if (outcome.kind === "lost") return;
    if (outcome.kind === "refused" && !isResync(outcome.code)) {
      onRefused(outcome.code, outcome.message);
      return;
    }
    const isLacking = outcome.kind === "refused" || !whole;
    if (isExchange) waits = isLacking;
    askAfterNews();
    if (isLacking) lackingAt = Math.max(lackingAt, number);
    else if (isExchange) wholeAt = number;
    if (outcome.kind === "acknowledged" && lackingAt <= wholeAt) onRelayed(revision);
    if (isLacking && unanswered && !exchanging && !waits) ask();
  }

  return {
    offer(update, source, revision, ready) {
      jobs.push({ update, source, revision, ready });
      void run();
    },
    answers(clocks) {
      if (exchanging) {
        unanswered = true;
        return false;
      }
      exchanging = true;
      unanswered = false;
      isNews = false;
      relayClocks = clocks;
      return true;
    },
    ask,
    arrived() {
      isNews = true;
      askAfterNews();
    },
    reset() {
      jobs = [];
      connection = {};
      running = false;
      exchanging = false;
      unanswered = false;
      waits = false;
      cancelAsk?.();
      cancelAsk = undefined;
    },
  };
}

/** An update is where its worst slice is. */
function worst(outcomes: readonly UploadOutcome[]): UploadOutcome {
  return (
    outcomes.find(({ kind }) => kind === "refused") ??
    outcomes.find(({ kind }) => kind === "lost") ?? { kind: "acknowledged" }
  );
}
