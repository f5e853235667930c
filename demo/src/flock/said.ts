import { defineView, type Message, readMessage, type Undo } from "flockstate";
import type { FlockRoom } from "./state.ts";

/** Everything that was ever said in a room, in its order, also what has been sealed since. */
export interface Said {
  get(): readonly Message[];
  subscribe(listener: () => void): Undo;
}

/** A list that shares all but its last message with the list before. */
interface Linked {
  readonly message: Message;
  readonly before: Linked | undefined;
}

const key = "said";

const everything = defineView<Linked | undefined>({
  key: (entry) => (readMessage(entry) ? key : undefined),
  init: () => undefined,
  step(before, entry) {
    const message = readMessage(entry);
    return message && { message, before };
  },
});

/** Follows what is said in a room; what is sealed comes when it has been read back. */
export function followSaid(room: FlockRoom): Said {
  const view = room.view(everything);
  let latest: Linked | undefined;
  let messages: readonly Message[] = [];
  return {
    get() {
      const now = view.get(key);
      if (now !== latest) {
        latest = now;
        messages = listOf(now);
      }
      return messages;
    },
    subscribe: (listener) => view.subscribe(listener),
  };
}

function listOf(newest: Linked | undefined): readonly Message[] {
  const messages: Message[] = [];
  for (let at = newest; at; at = at.before) messages.push(at.message);
  return messages.reverse();
}
