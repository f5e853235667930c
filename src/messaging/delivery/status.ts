import { type Clock, createEmitter, FlockError, isFlockError, type Undo } from "../../base/index.ts";
import type { Documents } from "../../crdt/index.ts";
import { type EntryAddress, parseEntryId } from "../../protocol/index.ts";
import { type Message, readMessage } from "../message/message.ts";
import { type Addressee, openAddressees } from "./addressees.ts";
import type { Letter, Redrive } from "./dead-letter-view.ts";
import type { DeadLetters } from "./dead-letters.ts";

/** How far a consumer is with a message that is for it, as far as is known here. */
export interface DeliveryStatus {
  /** `alice.planner`; of a group the member who is furthest with it. */
  readonly agent: string;
  readonly consumer: string;
  readonly group?: string;
  /**
   * `in-flight`: a delivery was begun; the first of several quick ones is not told. `dead`: every delivery failed.
   * `terminated`: by the handler. `cancelled`: by the requester. `unreadable`: no reader there for its content.
   */
  readonly state:
    | "pending"
    | "in-flight"
    | "acknowledged"
    | "terminated"
    | "dead"
    | "expired"
    | "cancelled"
    | "unreadable";
  /** Deliveries that were made, as far as was written down; 0 once it is acknowledged. */
  readonly attempts: number;
  /** Why it was given up. */
  readonly reason?: string;
}

export interface WaitOptions {
  /** In milliseconds; default for ever. */
  timeoutMs?: number | undefined;
  signal?: AbortSignal | undefined;
}

/** Tells what became of messages. */
export interface Deliveries {
  /** One for each known consumer that the message is for, by consumer; undefined where no such message is live here. */
  statusOf(id: string): readonly DeliveryStatus[] | undefined;
  /** @throws as `Room.waitForDelivery` */
  wait(id: string, options?: WaitOptions): Promise<readonly DeliveryStatus[]>;
  close(): void;
}

export interface DeliveriesOptions {
  documents: Documents;
  deadLetters: DeadLetters;
  clock: Pick<Clock, "after">;
}

/** What timers can count to. */
const longestMs = 2 ** 31 - 1;

/** Ends a wait that has lasted as long as it may. */
const timedOut = Symbol("timed out");

/** Watches registers and dead letters for those who ask. */
export function openDeliveries({ documents, deadLetters, clock }: DeliveriesOptions): Deliveries {
  const addressees = openAddressees(documents);
  const moved = createEmitter<void>();
  const closing = createEmitter<void>();
  let stops: readonly Undo[] = [];
  /** Counted up each time that what was out of reach may be had. */
  let reaches = 0;
  let isScheduled = false;
  let isClosed = false;

  function statusesOf(message: Message): readonly DeliveryStatus[] {
    const known = addressees
      .of(message)
      .map((addressee) => ({ addressee, status: statusAt(addressee, message) }));
    // Who has left and not handled it never will.
    const counted = known.filter(({ addressee, status }) => addressee.isHere || isSettled(status));
    return Object.freeze(counted.map(({ status }) => Object.freeze(status)));
  }

  function statusAt({ consumer, group, agents, standingOf }: Addressee, { id }: Message): DeliveryStatus {
    const name = { consumer, ...(group !== undefined && { group }) };
    let redriven: Redrive | undefined;
    for (const agent of agents) {
      const letter = deadLetters.find({ id, agent, consumer });
      if (!letter) continue;
      const { redrive, outcome, attempts, reason } = letter;
      if (!redrive) return { agent, ...name, state: stateOf(outcome), attempts, reason };
      if (!redriven || redrive.at > redriven.at) redriven = redrive;
    }
    const { agent, isDone, attempts } = standingOf(redriven?.entry ?? id);
    const reached = attempts > 0 ? "in-flight" : "pending";
    // Who passed it has acknowledged it or said why not: until that would be known, neither is told.
    const passed = deadLetters.isReady ? "acknowledged" : "pending";
    return { agent, ...name, state: isDone ? passed : reached, attempts };
  }

  /** What arrives in one turn is looked at once, and only while somebody waits. */
  function schedule(): void {
    if (isScheduled || moved.size === 0) return;
    isScheduled = true;
    queueMicrotask(() => {
      isScheduled = false;
      moved.emit();
    });
  }

  function watch(): void {
    if (stops.length > 0) return;
    stops = [
      documents.registerChanged.on(schedule),
      documents.log.added.on(schedule),
      documents.online.subscribe(() => {
        reaches++;
        schedule();
      }),
      deadLetters.onChanged(schedule),
    ];
  }

  /** Resolves at the next change, and when the signal aborts. */
  function change(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const end = (): void => {
        undo();
        signal.removeEventListener("abort", end);
        resolve();
      };
      const undo = moved.on(end);
      signal.addEventListener("abort", end);
    });
  }

  /** A message here or in history; undefined where there is none, or none yet. */
  async function find(id: string, signal: AbortSignal): Promise<Message | undefined> {
    const entry = documents.log.get(id) ?? (await documents.history.entry(id, { signal }));
    const message = entry && readMessage(entry);
    if (entry && !message) throw notAMessage(id);
    return message;
  }

  async function settled(
    id: string,
    lifetime: AbortSignal,
    told: (now: readonly DeliveryStatus[]) => void,
  ): Promise<void> {
    const { writer, page } = addressOf(id);
    let message: Message | undefined;
    let triedAt = -1;
    for (;;) {
      const changed = change(lifetime);
      // A consumer that jumps over what retention took is past it, and has not read it.
      if (page.number < (documents.history.marks(writer)?.first ?? 0)) throw pastRetention(id);
      if (!message && (triedAt !== reaches || documents.log.get(id))) {
        try {
          message = await find(id, lifetime);
        } catch (failure) {
          lifetime.throwIfAborted();
          if (isFlockError(failure, "crdt/history-lost")) throw pastRetention(id);
          if (!isFlockError(failure, "refstore/unavailable")) throw failure;
          triedAt = reaches;
        }
      }
      const statuses = message ? statusesOf(message) : [];
      told(statuses);
      if (statuses.length > 0 && statuses.every(isSettled)) return;
      await changed;
      lifetime.throwIfAborted();
    }
  }

  return {
    statusOf(id) {
      const entry = documents.log.get(id);
      const message = entry && readMessage(entry);
      return message && statusesOf(message);
    },
    async wait(id, { timeoutMs, signal } = {}) {
      signal?.throwIfAborted();
      addressOf(id);
      if (timeoutMs !== undefined && !(timeoutMs >= 0)) {
        throw new FlockError(
          "messaging/invalid-options",
          `A wait can't last ${timeoutMs} ms: give 0 or more.`,
        );
      }
      if (isClosed) throw closedBefore(id);
      watch();
      const lifetime = new AbortController();
      const abort = (): void => lifetime.abort(signal?.reason);
      signal?.addEventListener("abort", abort);
      const undo = closing.on(() => lifetime.abort(closedBefore(id)));
      const cancel =
        timeoutMs === undefined
          ? undefined
          : clock.after(Math.min(timeoutMs, longestMs), () => lifetime.abort(timedOut));
      let statuses: readonly DeliveryStatus[] = [];
      try {
        await settled(id, lifetime.signal, (now) => {
          statuses = now;
        });
      } catch (failure) {
        if (lifetime.signal.reason !== timedOut) throw failure;
      } finally {
        signal?.removeEventListener("abort", abort);
        undo();
        cancel?.();
        lifetime.abort();
      }
      return statuses;
    },
    close() {
      isClosed = true;
      addressees.close();
      for (const stop of stops) stop();
      closing.emit();
    },
  };
}

function isSettled({ state }: DeliveryStatus): boolean {
  return state !== "pending" && state !== "in-flight";
}

function stateOf(outcome: Letter["outcome"]): DeliveryStatus["state"] {
  return outcome === "exhausted" ? "dead" : outcome;
}

function addressOf(id: string): EntryAddress {
  const address = parseEntryId(id);
  if (!address) throw notAMessage(id);
  return address;
}

function notAMessage(id: string): FlockError {
  const why = `There is no message ${JSON.stringify(id)}: give the id that \`send\` returned, or a message has.`;
  return new FlockError("messaging/invalid-message", why, { details: { path: "id" } });
}

function pastRetention(id: string): FlockError {
  const why = `Retention took ${id} before it was known what became of it.`;
  return new FlockError("messaging/gap", why, { details: { id } });
}

function closedBefore(id: string): FlockError {
  return new FlockError("crdt/closed", `The room closed before it was known what became of ${id}.`);
}
