import { type Clock, type FlockError, isFlockError, type RandomBytes, type Undo } from "../../base/index.ts";
import type { TokenSource } from "./token-source.ts";

/** Asks for the next token before the present one ends. */
export interface Renewal {
  /** A token holds until then, in milliseconds since 1970; undefined for ever. */
  granted(expiresAt: number | undefined): void;
  stop(): void;
}

export interface RenewalOptions {
  tokens: TokenSource;
  clock: Clock;
  random: RandomBytes;
  onToken(token: string): void;
  onFailed(error: FlockError): void;
}

const leastLeadMs = 5_000;
const mostLeadMs = 60_000;
const retryMs = 5_000;
/** Platforms run a timer that is set further ahead at once. */
const longestTimerMs = 2 ** 31 - 1;

/**
 * Creates a renewal that asks when about a fifth of the life is left, 5 to 60 s before the end. Where this device's clock
 * has the end behind it, nothing is asked: the relay closes at the end, and the next connection brings a new token.
 */
export function createRenewal({ tokens, clock, random, onToken, onFailed }: RenewalOptions): Renewal {
  let cancel: Undo = () => {};
  let turn = 0;

  function stop(): void {
    turn++;
    cancel();
  }

  async function ask(): Promise<void> {
    const asked = turn;
    try {
      const token = await tokens.fetch();
      if (asked === turn) onToken(token);
    } catch (failure) {
      if (asked !== turn || !isFlockError(failure)) return;
      onFailed(failure);
      cancel = clock.after(retryMs, ask);
    }
  }

  return {
    granted(expiresAt) {
      stop();
      if (expiresAt === undefined) return;
      const lifeMs = expiresAt - clock.now();
      const [byte = 0] = random(1);
      const lead = Math.min(mostLeadMs, lifeMs / 5) * (1 - byte / 1_020);
      const waitMs = lifeMs - Math.max(leastLeadMs, lead);
      if (waitMs > 0) cancel = clock.after(Math.min(waitMs, longestTimerMs), ask);
    },
    stop,
  };
}
