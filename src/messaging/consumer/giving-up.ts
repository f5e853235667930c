import { FlockError, isFlockError } from "../../base/index.ts";
import type { DeadLetterBody } from "../../protocol/index.ts";
import type { Delivery, Verdict } from "./delivery.ts";

export interface GivingUpOptions<D extends Delivery> {
  name: string;
  agent: string;
  giveUp(letter: DeadLetterBody, restsOn: readonly string[]): Promise<void>;
  /** It is said, and the position may pass the message. */
  onSaid(delivery: D): void;
  /** It could not be said. */
  onFailed(delivery: D): void;
  onProblem(error: FlockError): void;
}

/** Creates what says in the lane that a message is given up, and tells those of which nobody else would know. */
export function createGivingUp<D extends Delivery>(
  options: GivingUpOptions<D>,
): (delivery: D, verdict: Verdict) => void {
  const { name, agent, giveUp, onSaid, onFailed, onProblem } = options;

  function tell({ messageId }: D, { outcome, reason, attempts, cause }: Verdict): void {
    if (outcome === "expired" || outcome === "cancelled") return;
    onProblem(
      new FlockError(
        "messaging/dead-letter",
        `${name} of ${agent} gave up ${messageId} after ${attempts} deliveries (${outcome}): ${reason}`,
        { cause, details: { id: messageId, consumer: name, outcome, attempts } },
      ),
    );
  }

  return (delivery, verdict) => {
    const { outcome, reason, attempts } = verdict;
    const { messageId, isRedriven, id } = delivery;
    delivery.verdict = verdict;
    delivery.pending = undefined;
    delivery.cutOff?.abort();
    const letter = { consumer: name, messages: [messageId], outcome, reason, attempts };
    giveUp(letter, isRedriven ? [id] : []).then(
      () => {
        onSaid(delivery);
        tell(delivery, verdict);
      },
      (failure: unknown) => {
        if (isFlockError(failure)) onProblem(failure);
        onFailed(delivery);
      },
    );
  };
}

/** Too many deliveries have failed. */
export function exhausted(attempts: number, cause?: unknown): Verdict {
  const why = cause instanceof Error ? `: ${String(cause.message)}` : "";
  return { outcome: "exhausted", reason: `${attempts} deliveries failed${why}`, attempts, cause };
}
