import type { Emitter, Undo } from "../../base/index.ts";
import { addresses } from "../../protocol/index.ts";
import type { Running, ServiceCall } from "./service-execution.ts";

/** A service that an agent of this room object serves. */
export interface ServiceOffer {
  /** The writer that its agent is at present. */
  readonly writer: string;
  run(call: ServiceCall): Running;
  /** It is served no more. */
  readonly stopped: Emitter<void>;
}

/** What the agents of one room object serve: they call each other here, past the room. */
export interface ServiceDesk {
  offer(service: string, offer: ServiceOffer): Undo;
  /** Who serves at an address: `planner`, `alice.planner` or a writer. */
  find(service: string, to: string): ServiceOffer | undefined;
}

export function createServiceDesk(): ServiceDesk {
  const offers = new Map<string, Set<ServiceOffer>>();
  return {
    offer(service, offer) {
      const present = offers.get(service) ?? new Set();
      offers.set(service, present.add(offer));
      return () => void present.delete(offer);
    },
    find(service, to) {
      for (const offer of offers.get(service) ?? []) if (addresses(to, offer.writer)) return offer;
      return undefined;
    },
  };
}
