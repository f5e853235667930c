import type { OpenTabChannel } from "../../crdt/index.ts";
import type { Host } from "./host.ts";
import type { SimulatedRandom } from "./random.ts";
import type { Timeline } from "./timeline.ts";

/** How badly the channels between tabs behave. */
export interface TabChannelFaults {
  /** The longest that a message may take, in milliseconds; each draws its own. */
  delayMs: number;
  /** The probability that a message arrives twice. */
  duplicate: number;
  /** The probability that one of the listeners misses a message, as a frozen tab does. */
  drop: number;
  /** Whether a message may overtake another. */
  reorder: boolean;
}

/** The channels between the tabs of one browser. */
export interface TabChannels {
  /** The port for one tab. */
  portOf(host: Host): OpenTabChannel;
}

interface Listener {
  host: Host;
  hear(message: unknown): void;
  lastArrival: number;
}

/** Creates the channels of a browser that has no tabs yet; `faults` is read anew for each message. */
export function createTabChannels(
  timeline: Timeline,
  random: SimulatedRandom,
  faults: Readonly<TabChannelFaults>,
): TabChannels {
  const channels = new Map<string, Set<Listener>>();

  function deliver(channel: string, listener: Listener, message: unknown): void {
    const drawn = timeline.now() + random.between(0, faults.delayMs);
    const arrival = faults.reorder ? drawn : Math.max(drawn, listener.lastArrival);
    listener.lastArrival = Math.max(listener.lastArrival, arrival);
    listener.host.after(arrival - timeline.now(), "hears a tab", () => {
      if (channels.get(channel)?.has(listener)) listener.hear(structuredClone(message));
    });
  }

  return {
    portOf: (host) => (name, onMessage) => {
      const listeners = channels.get(name) ?? new Set();
      channels.set(name, listeners);
      const own: Listener = { host, hear: onMessage, lastArrival: 0 };
      listeners.add(own);
      const leave = (): void => void listeners.delete(own);
      host.onKill(leave);
      return {
        post(message) {
          if (!listeners.has(own)) return;
          const copy: unknown = structuredClone(message);
          for (const listener of listeners) {
            if (listener === own || random.chance(faults.drop)) continue;
            deliver(name, listener, copy);
            if (random.chance(faults.duplicate)) deliver(name, listener, copy);
          }
        },
        close: leave,
      };
    },
  };
}
