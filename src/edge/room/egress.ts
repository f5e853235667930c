import { createMeter, type Meter, overdrawnMs, spend } from "./rates.ts";

/** Principals whose meters are kept; past it those that owe nothing are dropped. */
const keptPrincipals = 1_024;

/**
 * What each principal makes the relay send it beyond live rows, whatever the number of its connections: so that
 * joining again and again, or asking for clocks, costs at most a rate.
 */
export interface Egress {
  charge(principal: string, bytes: number, now: number): void;
  /** How long a principal is to wait, in milliseconds; 0 where it need not. */
  waitMs(principal: string, now: number): number;
}

/** Creates the meters of a room; each allows ten seconds' worth at once. */
export function createEgress(bytesPerSecond: number): Egress {
  const meters = new Map<string, Meter>();

  function meterOf(principal: string, now: number): Meter {
    const known = meters.get(principal);
    if (known) return known;
    if (meters.size >= keptPrincipals) {
      for (const [name, { paidAt }] of meters) if (paidAt <= now) meters.delete(name);
    }
    const meter = createMeter();
    meters.set(principal, meter);
    return meter;
  }

  return {
    charge(principal, bytes, now) {
      spend(meterOf(principal, now), bytes, bytesPerSecond, now);
    },
    waitMs(principal, now) {
      const meter = meters.get(principal);
      return meter ? overdrawnMs(meter, now) : 0;
    },
  };
}
