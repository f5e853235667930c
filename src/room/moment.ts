import { abortable, FlockError, timestampFromMs } from "../base/index.ts";
import { defineView, type ViewDefinition, type Views } from "../crdt/index.ts";
import { type Message, readMessage } from "../messaging/index.ts";

/** The lanes of a room as they were at a time. Shared documents have no past: their state is only what it is now. */
export interface Moment {
  /** Milliseconds since the epoch. */
  readonly time: number;
  /**
   * The states of a view by key, folded from the entries whose effective clock is at or before the time. Reads what is
   * sealed from history and verifies it; waits where that is out of reach, and leaves out what nobody can read.
   *
   * @throws the signal's reason, and `crdt/closed` where the room closes before
   */
  fold<State>(
    definition: ViewDefinition<State>,
    options?: { signal?: AbortSignal },
  ): Promise<ReadonlyMap<string, State>>;
  /** The messages sent until then, in the order of the room. @throws as `fold` */
  messages(options?: { signal?: AbortSignal }): Promise<readonly Message[]>;
}

/** A list that shares all but its last element with the list before. */
interface Linked {
  message: Message;
  before: Linked | undefined;
}

const sent = defineView<Linked | undefined>({
  key: (entry) => (readMessage(entry) ? "sent" : undefined),
  init: () => undefined,
  step(before, entry) {
    const message = readMessage(entry);
    return message && { message, before };
  },
});

/** @throws `base/invalid-timestamp` where the time is no number of milliseconds since the epoch. */
export function createMoment(views: Views, time: number): Moment {
  if (!Number.isFinite(time) || time < 0) {
    throw new FlockError(
      "base/invalid-timestamp",
      `The time ${time} is no moment of a room: give milliseconds since the epoch.`,
    );
  }

  const moment: Moment = {
    time,
    async fold(definition, { signal } = {}) {
      signal?.throwIfAborted();
      const view = views.open(definition, { history: true, until: timestampFromMs(time + 1) - 1 });
      try {
        await abortable(view.ready, signal);
        const keys = [...view.keys()];
        return new Map(keys.map((key) => [key, view.get(key) as ReturnType<typeof definition.init>]));
      } finally {
        await view.close();
      }
    },
    async messages(options) {
      const messages: Message[] = [];
      const states = await moment.fold(sent, options);
      for (let at = states.get("sent"); at; at = at.before) messages.push(at.message);
      return messages.reverse();
    },
  };
  return moment;
}
