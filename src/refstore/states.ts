import { createEmitter, type Undo } from "../base/index.ts";

/**
 * - `local`: not known to be at the relay.
 * - `uploading`: as `local`, and on its way.
 * - `remote`: the relay has acknowledged or served it.
 * - `missing`: no holder that could be reached had it.
 * - `corrupt`: the last copy met had another hash, and no good one was found since.
 */
export type ReferenceState = "local" | "uploading" | "remote" | "missing" | "corrupt";

export interface ReferenceStatus {
  /** Whether this device had a copy when it last looked. */
  readonly here: boolean;
  readonly state: ReferenceState;
}

/** A status that changed. */
export interface ReferenceChange extends ReferenceStatus {
  readonly id: string;
}

/** What is known of each reference that was met. */
export interface ReferenceStates {
  get(id: string): ReferenceStatus | undefined;
  /** Merges what was learnt; listeners hear of it only where it differs. */
  note(id: string, change: Partial<ReferenceStatus>): void;
  onChange(listener: (change: ReferenceChange) => void): Undo;
}

/** Creates states that know of nothing. */
export function createReferenceStates(): ReferenceStates {
  const statuses = new Map<string, ReferenceStatus>();
  const changes = createEmitter<ReferenceChange>();
  return {
    get: (id) => statuses.get(id),
    note(id, change) {
      const before = statuses.get(id);
      const after: ReferenceStatus = { here: false, state: "missing", ...before, ...change };
      if (before?.here === after.here && before.state === after.state) return;
      statuses.set(id, after);
      changes.emit({ id, ...after });
    },
    onChange: (listener) => changes.on(listener),
  };
}
