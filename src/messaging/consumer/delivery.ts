import * as z from "zod/mini";
import type { Entry } from "../../crdt/index.ts";
import {
  agentOf,
  type DeadLetterBody,
  defaultPriority,
  redriveKind,
  redriveSchema,
} from "../../protocol/index.ts";
import type { CompiledFilter } from "../filter/filter.ts";
import { type Message, readMessage } from "../message/message.ts";
import type { Attempt } from "./handler-context.ts";
import type { LaneCursor } from "./lane-cursor.ts";
import type { LanePage } from "./position.ts";
import type { Job, LaneLoad } from "./schedule.ts";

/** A lane as the deliveries of its messages need it. */
export interface DeliveryLane extends LaneLoad {
  readonly id: string;
  /** Undefined once the lane has departed. */
  cursor(): LaneCursor | undefined;
  pages(): readonly LanePage[];
  /**
   * Deliveries that are still counted on disk before they begin, because the page may have died of one that nobody
   * counted; undefined before the first.
   */
  careful: number | undefined;
}

/** Why a message is given up. */
export interface Verdict {
  readonly outcome: DeadLetterBody["outcome"];
  readonly reason: string;
  /** Deliveries that were made. */
  readonly attempts: number;
  readonly cause?: unknown;
}

/** What an entry brought the consumer, until the position has passed it. */
export interface Delivery<L extends DeliveryLane = DeliveryLane> extends Job {
  readonly lane: L;
  readonly entry: Entry;
  /** The message that is to be handled, which a redrive names. */
  readonly messageId: string;
  readonly isRedriven: boolean;
  /** Undefined until what a redrive names is read. */
  message: Message | undefined;
  /** Of the delivery that is made, from 1. */
  number: number;
  /** Whether that is counted in the position. */
  isCounted: boolean;
  /** Whether a delivery of it was made here before. */
  hasRun: boolean;
  /** What its handler has in hand. */
  attempt: Attempt | undefined;
  /** What it waits for before: another one has come too late. */
  pending: Promise<unknown> | undefined;
  /** How often that came after its hand was another's. */
  timesLate: number;
  /** Ends that. */
  cutOff: AbortController | undefined;
  verdict: Verdict | undefined;
}

/** What an entry brings a consumer: a message, or the id of one that it is to handle again. */
export type Wanted = { readonly message: Message } | { readonly redriven: string };

export interface WantedOptions {
  name: string;
  group: string | undefined;
  writer: { readonly id: string };
  compiled: CompiledFilter;
}

/** Tells what an entry brings a consumer; undefined where that is nothing. */
export function wantedOf(entry: Entry, { name, group, writer, compiled }: WantedOptions): Wanted | undefined {
  if (entry.kind === redriveKind) {
    const asked = z.safeParse(redriveSchema, entry.body);
    if (!asked.success || asked.data.consumer !== name) return undefined;
    const isMine = group !== undefined || asked.data.agent === agentOf(writer.id);
    return isMine ? { redriven: asked.data.message } : undefined;
  }
  const message = compiled.mayHold(entry) ? readMessage(entry) : undefined;
  return message && compiled.takes(message) ? { message } : undefined;
}

/** Creates the delivery of what an entry brings. */
export function createDelivery<L extends DeliveryLane>(lane: L, entry: Entry, wanted: Wanted): Delivery<L> {
  const message = "message" in wanted ? wanted.message : undefined;
  return {
    id: entry.id,
    priority: message?.priority ?? defaultPriority,
    clock: entry.clock,
    lane,
    slot: undefined,
    entry,
    messageId: "message" in wanted ? wanted.message.id : wanted.redriven,
    isRedriven: message === undefined,
    message,
    number: 0,
    isCounted: false,
    hasRun: false,
    attempt: undefined,
    pending: undefined,
    timesLate: 0,
    cutOff: undefined,
    verdict: undefined,
  };
}
