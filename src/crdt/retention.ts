import type { RegisterRecord } from "../protocol/index.ts";

/** How long history is kept. What is past it is deleted on this device and at the relay; those who read late are told of the gap. */
export interface Retention {
  /** Sealed pages whose newest entry is older than this go, in milliseconds. Default: none do. */
  historyMs: number;
  /** The oldest sealed pages of a lane go where all of them together are past this, in bytes. Default: none do. */
  historyBytes: number;
  /** A writer that nobody has had open for this long has departed: all that it left goes, in milliseconds. Default 90 days. */
  departedMs: number;
}

export const defaultRetention: Retention = {
  historyMs: Number.POSITIVE_INFINITY,
  historyBytes: Number.POSITIVE_INFINITY,
  departedMs: 90 * 24 * 3_600_000,
};

/** Whether nobody had a writer open for longer than it is kept. */
export function hasDeparted(
  { seenAt, since }: Pick<RegisterRecord, "seenAt" | "since">,
  { departedMs }: Pick<Retention, "departedMs">,
  nowMs: number,
): boolean {
  return nowMs - (seenAt ?? since) > departedMs;
}
