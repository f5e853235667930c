import type { Emitter } from "../base/index.ts";
import type { Json } from "../protocol/index.ts";

/** What one open writer tells another at once: never stored, perhaps lost, in no order with anything else. */
export interface Signal {
  /** The writer that said it: of the principal that its connection speaks for, and open in the replica that sent it. */
  readonly from: string;
  /** A writer that is open here. */
  readonly to: string;
  readonly body: Json;
}

/** Signals among the writers that are here at the same time. */
export interface Signals {
  /**
   * Tells a writer that is open elsewhere. False where it is not known to be within reach, or the body is past what a
   * signal holds; true says only that it is on its way.
   */
  send(signal: Signal): boolean;
  readonly received: Emitter<Signal>;
}
