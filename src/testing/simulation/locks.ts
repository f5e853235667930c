import type { Undo } from "../../base/index.ts";
import type { Host } from "./host.ts";

/** The locks of one browser; those of a process are free once it is gone. */
export interface Locks {
  readonly available: boolean;
  /** Takes a lock that nobody holds. */
  tryLock(host: Host, name: string): Undo | undefined;
}

/** Creates the locks; a browser without any grants none. */
export function createLocks(available: boolean): Locks {
  const held = new Set<string>();
  return {
    available,
    tryLock(host, name) {
      if (!available || held.has(name) || !host.alive) return undefined;
      held.add(name);
      let isHeld = true;
      const release = (): void => {
        if (isHeld) held.delete(name);
        isHeld = false;
      };
      host.onKill(release);
      return release;
    },
  };
}
