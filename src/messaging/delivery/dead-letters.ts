import { type Clock, createEmitter, createStore, type Store, type Undo } from "../../base/index.ts";
import type { Documents, View } from "../../crdt/index.ts";
import { deadLetterView, type Letter, type Letters } from "./dead-letter-view.ts";
import { type LetterName, letterKey, placeOf, readLetterKey } from "./letter-blocks.ts";

/** A message that a consumer gave up, and that nobody has asked it since to handle again. */
export interface DeadLetter extends LetterName {
  /**
   * `exhausted`: every delivery failed, up to `maxDeliver`; `terminated`: by the handler; `expired`: before it was handled;
   * `cancelled`: by the requester; `unreadable`: no reader there for its content.
   */
  readonly outcome: Letter["outcome"];
  readonly reason: string;
  /** Deliveries that were made. */
  readonly attempts: number;
  /** Milliseconds since the epoch when it was given up, by the clock of whoever did. */
  readonly at: number;
  /** The writer who gave it up. */
  readonly by: string;
}

/** What is known of the messages that were given up. It costs nothing until somebody asks. */
export interface DeadLetters {
  /** The oldest first. */
  readonly list: Store<readonly DeadLetter[]>;
  /** The letter of a message, redriven or not, as far as it is known here. */
  find(name: LetterName): Letter | undefined;
  /** Whether all that was given up before is known. */
  readonly isReady: boolean;
  /** Resolves once it is; waits for the network where sealed pages have to come from there. @throws `crdt/closed` */
  ready(): Promise<void>;
  /** Told when some letter may have changed. */
  onChanged(listener: () => void): Undo;
  close(): void;
}

/** Changes within this time are told together: the list costs its length each time it is told. */
const gatherMs = 16;
const none: readonly DeadLetter[] = Object.freeze([]);

/** Opens the dead letters of a room; the view of them opens when it is first asked for. */
export function openDeadLetters(
  documents: Pick<Documents, "views">,
  clock: Pick<Clock, "after">,
): DeadLetters {
  const changed = createEmitter<void>();
  const store = createStore(none);
  /** The letters of each key that are dead. */
  const listed = new Map<string, readonly DeadLetter[]>();
  const stale = new Set<string>();
  let view: View<Letters> | undefined;
  let isReady = false;
  let isClosed = false;
  let isWatched = false;
  let cancel: Undo | undefined;

  function opened(): View<Letters> | undefined {
    if (view || isClosed) return view;
    view = documents.views.open(deadLetterView);
    take(view.keys());
    view.subscribe(take);
    const { ready } = view;
    // Whoever waits for it is told when the room closes.
    ready.then(begin, () => undefined);
    return view;
  }

  function begin(): void {
    isReady = true;
    // What a snapshot has was not told.
    take(view?.keys() ?? []);
  }

  function take(keys: Iterable<string>): void {
    for (const key of keys) stale.add(key);
    changed.emit();
    if (isWatched && !isClosed) cancel ??= clock.after(gatherMs, refresh);
  }

  function refresh(): void {
    cancel?.();
    cancel = undefined;
    if (stale.size === 0) return;
    for (const key of stale) {
      const letters = deadOf(key);
      if (letters.length > 0) listed.set(key, letters);
      else listed.delete(key);
    }
    stale.clear();
    store.set(Object.freeze([...listed.values()].flat().sort(inTime)));
  }

  function deadOf(key: string): readonly DeadLetter[] {
    const { agent, consumer, idAt } = readLetterKey(key);
    const dead: DeadLetter[] = [];
    for (const [offset, letter] of Object.entries(view?.get(key) ?? {})) {
      const { outcome, reason, attempts, at, by, redrive } = letter;
      if (redrive) continue;
      dead.push(
        Object.freeze({ id: idAt(Number(offset)), agent, consumer, outcome, reason, attempts, at, by }),
      );
    }
    return dead;
  }

  /** Whoever has looked once is told from then on. */
  function watch(): void {
    opened();
    isWatched = true;
    if (!isClosed) refresh();
  }

  return {
    list: {
      get() {
        watch();
        return store.get();
      },
      subscribe(listener) {
        watch();
        return store.subscribe(listener);
      },
    },
    find(name) {
      const place = placeOf(name.id);
      return place && opened()?.get(letterKey(name, place))?.[place.offset];
    },
    get isReady() {
      opened();
      return isReady;
    },
    async ready() {
      await opened()?.ready;
    },
    onChanged(listener) {
      opened();
      return changed.on(listener);
    },
    close() {
      isClosed = true;
      cancel?.();
      void view?.close();
    },
  };
}

function inTime(a: DeadLetter, b: DeadLetter): number {
  return a.at - b.at || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0);
}
