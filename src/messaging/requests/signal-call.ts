import type { ServiceAnswer } from "../../protocol/index.ts";

/*
 * A call by signals, as the caller sees it: offered until it is accepted, asked about while it is waited for, and sent as a
 * message once a word is missing.
 */

/** Where a call is. `probes`: how often an accepted call has been asked about. */
export type SignalCall =
  | { phase: "offered"; probes: number }
  | { phase: "accepted"; probes: number }
  | { phase: "durable" }
  | { phase: "done" };

export type SignalCallEvent =
  | { type: "accepted" }
  /** By a signal or by a reply. */
  | { type: "answered"; answer: ServiceAnswer }
  /** The answer can't be a signal. */
  | { type: "by-lane" }
  /** The signal could not be sent. */
  | { type: "unreachable" }
  | { type: "waited" };

export type SignalCallEffect =
  | { type: "offer" }
  /** `waited` after this; what was waited for before is not any more. */
  | { type: "wait"; ms: number }
  | { type: "request" }
  | { type: "finish"; answer: ServiceAnswer };

/** So long a signal is waited for before the call goes by its lane. */
export const acceptMs = 500;
/** An accepted call is asked about after this, doubling, ... */
const firstProbeMs = 2_000;
/** ... and no later than after this. */
const lastProbeMs = 30_000;

/** How every call begins. */
export const firstOffer: { call: SignalCall; effects: SignalCallEffect[] } = {
  call: { phase: "offered", probes: 0 },
  effects: [{ type: "wait", ms: acceptMs }, { type: "offer" }],
};

/** What becomes of an event. */
export function stepSignalCall(
  call: SignalCall,
  event: SignalCallEvent,
): { call: SignalCall; effects: SignalCallEffect[] } {
  if (call.phase === "done") return { call, effects: [] };
  if (event.type === "answered") {
    return { call: { phase: "done" }, effects: [{ type: "finish", answer: event.answer }] };
  }
  if (call.phase === "durable") return { call, effects: [] };
  const { phase, probes } = call;
  if (event.type === "accepted") {
    const ms = Math.min(lastProbeMs, firstProbeMs * 2 ** Math.min(probes, 10));
    return phase === "accepted"
      ? { call, effects: [] }
      : { call: { phase: "accepted", probes: probes + 1 }, effects: [{ type: "wait", ms }] };
  }
  if (event.type === "waited" && phase === "accepted") {
    return {
      call: { phase: "offered", probes },
      effects: [{ type: "wait", ms: acceptMs }, { type: "offer" }],
    };
  }
  return { call: { phase: "durable" }, effects: [{ type: "request" }] };
}
