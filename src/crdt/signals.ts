import { createEmitter, type Emitter } from "../base/index.ts";
import { decodeSignal, encodeSignal, type Json } from "../protocol/index.ts";
import type { PresenceBoard } from "./presence.ts";
import type { RelayLink } from "./transports/relay-link.ts";
import type { TabLink } from "./transports/tab-link.ts";

/** What one open writer tells another at once: never stored, perhaps lost or told twice, in no order with anything else. */
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
   * signal holds; true says only that it is on its way: it is lost where the other has not seen yet that `from` is open.
   */
  send(signal: Signal): boolean;
  readonly received: Emitter<Signal>;
}

/** Signals, with what others have sent. */
export interface SignalBoard extends Signals {
  /** The relay passed this on from a presence id. */
  heardRelay(id: number, bytes: Uint8Array): void;
  /** A tab sent this; `session` is its replica's. */
  heardTab(session: string, bytes: Uint8Array): void;
}

export interface SignalOptions {
  presence: Pick<PresenceBoard, "placeOf" | "isOpenAt">;
  link: Pick<RelayLink, "signal"> | undefined;
  tabs(): Pick<TabLink, "signal"> | undefined;
  /** Whether a writer is open in this replica. */
  isHere(writer: string): boolean;
}

/** Creates the board: the relay carries what it can, and the tab channel the rest. */
export function createSignals({ presence, link, tabs, isHere }: SignalOptions): SignalBoard {
  const received = createEmitter<Signal>();

  /** Only a writer that the sender has open speaks, as its presence says, and only to one that is open here. */
  function hear(place: number | string, bytes: Uint8Array): void {
    const signal = decodeSignal(bytes);
    if (signal && isHere(signal.to) && presence.isOpenAt(place, signal.from)) received.emit(signal);
  }

  return {
    send(signal) {
      if (!isHere(signal.from) || isHere(signal.to)) return false;
      const { id, session } = presence.placeOf(signal.to);
      if (id === undefined && session === undefined) return false;
      const bytes = encodeSignal(signal);
      if (!bytes) return false;
      if (id !== undefined && link?.signal(id, bytes)) return true;
      const channel = session === undefined ? undefined : tabs();
      if (session === undefined || !channel) return false;
      channel.signal(session, bytes);
      return true;
    },
    received,
    heardRelay: hear,
    heardTab: hear,
  };
}
