import type { Clock } from "../../../base/index.ts";
import { createByPrincipal } from "./by-principal.ts";
import { createMeter, type Meter, overdrawnMs, spend } from "./rates.ts";

/**
 * What each principal makes the relay send it beyond live rows, whatever the number of its connections: so that
 * joining again and again, or asking for clocks, costs at most a rate.
 */
export interface Egress {
  charge(principal: string, bytes: number): void;
  /** How long a principal is to wait, in milliseconds; 0 where it need not. */
  waitMs(principal: string): number;
}

/** Creates the meters of a room; each allows ten seconds' worth at once. */
export function createEgress(bytesPerSecond: number, clock: Pick<Clock, "now">): Egress {
  const meters = createByPrincipal<Meter>(createMeter, ({ paidAt }) => paidAt <= clock.now());
  return {
    charge(principal, bytes) {
      spend(meters.of(principal), bytes, bytesPerSecond, clock.now());
    },
    waitMs(principal) {
      const meter = meters.known(principal);
      return meter ? overdrawnMs(meter, clock.now()) : 0;
    },
  };
}
