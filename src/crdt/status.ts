import { createStore, type Store, type Undo } from "../base/index.ts";
import type { StorageState } from "./persistence/health.ts";
import type { LinkState } from "./transports/port.ts";
import type { RelayLink } from "./transports/relay-link.ts";

/** How a replica stands. */
export interface DocumentsStatus {
  readonly storage: StorageState;
  readonly network: LinkState;
  /** Writes made here that the relay has not acknowledged; 0 without a relay. */
  readonly pending: number;
  /** Whether an administrator has halted the room: what is written waits here until its release. */
  readonly halted: boolean;
}

/** The status of a replica, put together from its parts. */
export interface StatusBoard {
  readonly status: Store<DocumentsStatus>;
  /** Counts anew what is pending: now, and what else changes in this turn once at its end, or when somebody asks. */
  refresh(): void;
  /** Shows the state of a link from now on. */
  follow(link: Pick<RelayLink, "status" | "halted">): Undo;
  close(): void;
}

/** Creates the board of a replica that is offline and has nothing pending. */
export function createStatusBoard({
  storage,
  pending,
}: {
  storage: Store<StorageState>;
  pending(): number;
}): StatusBoard {
  const status = createStore<DocumentsStatus>({
    storage: storage.get(),
    network: "offline",
    pending: 0,
    halted: false,
  });

  function show(change: Partial<DocumentsStatus>): void {
    const now = status.get();
    const keys = Object.keys(change) as (keyof DocumentsStatus)[];
    if (keys.some((key) => change[key] !== now[key])) status.set({ ...now, ...change });
  }

  const unsubscribe = storage.subscribe((state) => show({ storage: state }));
  /** Whether it was counted in this turn, and whether more has changed since. */
  let isCounted = false;
  let isDue = false;

  function count(): void {
    isDue = false;
    show({ pending: pending() });
  }

  function endTurn(): void {
    isCounted = false;
    if (isDue) count();
  }

  return {
    status: {
      get() {
        if (isDue) count();
        return status.get();
      },
      subscribe: status.subscribe,
    },
    refresh() {
      if (isCounted) {
        isDue = true;
        return;
      }
      isCounted = true;
      queueMicrotask(endTurn);
      count();
    },
    follow(link) {
      const read = (): void =>
        show({ network: link.status.get(), halted: link.halted.get(), pending: pending() });
      const stops = [link.status.subscribe(read), link.halted.subscribe(read)];
      read();
      return () => {
        for (const stop of stops) stop();
      };
    },
    close: unsubscribe,
  };
}
