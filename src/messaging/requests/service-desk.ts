import type { FlockError, Undo } from "../../base/index.ts";
import { everyone } from "../../protocol/index.ts";
import type { Attendance } from "./attendance.ts";
import type { Running, ServiceCall } from "./service-execution.ts";

/** A service that an agent of this room object serves. */
export interface ServiceOffer {
  /** `principal.agent` */
  readonly agent: string;
  run(call: ServiceCall): Running;
  /** Whom it tells that it is served no more. */
  readonly callers: Attendance<(reason: FlockError) => void>;
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
      for (const offer of offers.get(service) ?? []) if (names(to, offer.agent)) return offer;
      return undefined;
    },
  };
}

/** As `addresses` of the protocol tells of a writer, for each call of a method. */
function names(to: string, agent: string): boolean {
  const name = agent.slice(agent.indexOf(".") + 1);
  return to === name || to === agent || to === everyone || to.startsWith(`${agent}.`);
}
