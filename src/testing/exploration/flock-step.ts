/** One thing that happens in a flock, as data. */
export interface FlockStep {
  /** Virtual time that passes before it, in milliseconds. */
  readonly afterMs: number;
  /** The name of an act or of a fault. */
  readonly does: string;
  /** Which replica acts or suffers; of a fault of the relay none. */
  readonly on?: string;
  /** Of an act: decides what it draws. */
  readonly draw?: number;
  /** Of a fault: how long it lasts, in milliseconds. */
  readonly forMs?: number;
  /** Of a fault: how bad it is. */
  readonly value?: number;
}

/** A step in words. */
export function describeStep({ afterMs, does, on, draw, forMs, value }: FlockStep): string {
  return [
    `after ${afterMs} ms`,
    on === undefined ? `${does}` : `${on}: ${does}`,
    ...(value === undefined ? [] : [`(${value})`]),
    ...(forMs === undefined ? [] : [`for ${forMs} ms`]),
    ...(draw === undefined ? [] : [`#${draw}`]),
  ].join(" ");
}

/** Simpler forms of a step: less waiting, shorter faults, smaller draws. */
export function* simplifyStep(step: FlockStep): Iterable<FlockStep> {
  const { afterMs, draw, forMs } = step;
  if (afterMs > 0) yield { ...step, afterMs: 0 };
  if (draw !== undefined && draw > 0) yield { ...step, draw: 0 };
  if (afterMs > 1) yield { ...step, afterMs: rounded(afterMs / 2) };
  if (forMs !== undefined && forMs > 1) yield { ...step, forMs: rounded(forMs / 2) };
}

/** To one digit: what a reader need not wonder about. */
function rounded(value: number): number {
  return Number(Math.floor(value).toPrecision(1));
}
