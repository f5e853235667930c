/** How much of a rate may come at once, in milliseconds' worth: what a replica brings that was away. */
const burstMs = 10_000;

/** How far a rate is spent: the moment at which nothing of it would be left to pay (the generic cell rate algorithm). */
export interface Meter {
  /** In milliseconds since 1970. */
  paidAt: number;
}

/** Creates a meter of which nothing is spent. */
export function createMeter(): Meter {
  return { paidAt: 0 };
}

/** Spends an amount, unless ten seconds' worth are spent already; one amount that is more than all of it passes whole. */
export function spend(meter: Meter, amount: number, perSecond: number, now: number): boolean {
  if (overdrawnMs(meter, now) > 0) return false;
  meter.paidAt = Math.max(meter.paidAt, now) + (amount / perSecond) * 1_000;
  return true;
}

/** How long to wait until something may be spent again; 0 where it may now. */
export function overdrawnMs({ paidAt }: Meter, now: number): number {
  return Math.max(0, paidAt - now - burstMs);
}
