import { type Clock, createEmitter, FlockError, isFlockError, type Undo } from "../../base/index.ts";
import type { Documents } from "../../crdt/index.ts";
import { parseEntryId } from "../../protocol/index.ts";
import { type Message, readMessage } from "../message/message.ts";
import { type Addressee, createAddressees } from "./addressees.ts";
import type { Letter } from "./dead-letter-view.ts";
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

/** Watches registers and dead letters for those who ask. */
export function openDeliveries({ documents, deadLetters, clock }: DeliveriesOptions): Deliveries {
  const addressees = createAddressees(documents);
  const moved = createEmitter<void>();
  const closing = createEmitter<void>();
  let stops: readonly Undo[] = [];
  let isScheduled = false;
  let isClosed = false;

  function statusesOf(message: Message): readonly DeliveryStatus[] {
    return addressees.of(message).flatMap((addressee) => {
      const status = statusAt(addressee, message);
      return addressee.isHere || isSettled(status) ? [status] : [];
    });
  }

  function statusAt(addressee: Addressee, { id }: Message): DeliveryStatus {
    const { consumer, group, agents } = addressee;
    const name = { consumer, ...(group !== undefined && { group }) };
    let redriven: { at: number; entry: string } | undefined;
    for (const agent of agents) {
      const letter = deadLetters.find({ id, agent, consumer });
      if (!letter) continue;
      const { redrive, outcome, attempts, reason } = letter;
      if (!redrive) return { agent, ...name, state: stateOf(outcome), attempts, reason };
      if (!redriven || redrive.at > redriven.at) redriven = redrive;
    }
    const { agent, isDone, attempts } = addressee.standingOf(redriven?.entry ?? id);
    return { agent, ...name, state: standing(isDone, attempts), attempts };
  }

  /** Who passed a message has either acknowledged it or said why not: until that would be known, neither is told. */
  function standing(isDone: boolean, attempts: number): DeliveryStatus["state"] {
    if (isDone) return deadLetters.isReady ? "acknowledged" : "pending";
    return attempts > 0 ? "in-flight" : "pending";
  }

  /** Whatever arrives in one turn is looked at once, and only while somebody waits. */
  function schedule(): void {
    if (isScheduled || moved.size === 0) return;
    isScheduled = true;
    queueMicrotask(() => {
      isScheduled = false;
      moved.emit();
    });
  }

  function watch(): void {
    if (stops.length > 0 || isClosed) return;
    stops = [
      documents.registerChanged.on(schedule),
      documents.log.added.on(schedule),
      documents.online.subscribe(schedule),
      deadLetters.onChanged(schedule),
    ];
  }

  /** A message here or in history; undefined while it is nowhere within reach. */
  async function find(id: string, signal: AbortSignal): Promise<Message | undefined> {
    try {
      const entry = documents.log.get(id) ?? (await documents.history.entry(id, { signal }));
      const message = entry && readMessage(entry);
      if (entry && !message) throw notAMessage(id);
      return message;
    } catch (failure) {
      if (isFlockError(failure, "crdt/history-lost")) throw pastRetention(id, failure);
      if (isFlockError(failure, "refstore/unavailable")) return undefined;
      throw failure;
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
      if (isClosed) throw closed(id);
      if (!parseEntryId(id)) throw notAMessage(id);
      if (timeoutMs !== undefined && !(timeoutMs >= 0)) {
        throw new FlockError("messaging/invalid-options", `A wait can't last ${timeoutMs} ms: give 0 or more.`);
      }
      watch();
      return waitFor(id, timeoutMs, signal);
    },
    close() {
      isClosed = true;
      for (const stop of stops) stop();
      closing.emit();
    },
  };
}
