import { Awareness, applyAwarenessUpdate, encodeAwarenessUpdate } from "y-protocols/awareness";
import * as Y from "yjs";
import { type Clock, createStore, parseWriterId, type Store, type Undo } from "../base/index.ts";
import { type Presence, type PresenceEntry, parseJson, parsePresence } from "../protocol/index.ts";

/** Who is here: through the relay and through other tabs, each replica once. */
export interface PresenceBoard {
  /** The application's states: a y-protocols Awareness, so that editor bindings work. */
  readonly awareness: Awareness;
  /** Every other replica here. */
  readonly others: Store<readonly Presence[]>;
  /** This replica's presence. */
  own(): Presence;
  setWriters(writers: readonly string[]): void;
  /** Where a writer is open, as far as is known: the newest such presence id at the relay, and the session of such a tab. */
  placeOf(writer: string): { id: number | undefined; session: string | undefined };
  /** Whether a presence id at the relay, or the session of a tab, says that a writer is open there. */
  isOpenAt(place: number | string, writer: string): boolean;
  heardRelay(entries: readonly PresenceEntry[]): void;
  /** The relay is gone, and with it what it said. */
  lostRelay(): void;
  heardTab(presence: Presence): void;
  lostTab(session: string): void;
  close(): void;
}

export interface PresenceOptions {
  session: string;
  clock: Clock;
  /** Tells the relay and the tabs; called after each change of this replica's own, gathered over 30 ms. */
  announce(presence: Presence): void;
}

const gatherMs = 30;
/** Awareness ids of tabs lie past those that the relay assigns. */
const firstTabId = 2 ** 31;

interface Seen {
  presence: Presence | undefined;
  awareness: Record<string, unknown> | null;
}

/** Opens the board with an own state that says only which session this is. */
export function openPresence({ session, clock, announce }: PresenceOptions): PresenceBoard {
  const document = new Y.Doc();
  const awareness = new Awareness(document);
  // Its timer renews and expires states; the relay and the tabs say who is gone.
  clearInterval(awareness._checkInterval as ReturnType<typeof setInterval>);
  const others = createStore<readonly Presence[]>([]);
  const relayed = new Map<number, Seen>();
  const tabs = new Map<string, Seen & { id: number }>();
  const clocks = new Map<number, number>();
  let nextTabId = firstTabId;
  let writers: readonly string[] = [];
  let cancel: Undo | undefined;

  function own(): Presence {
    return { session, writers: [...writers], awareness: awareness.getLocalState() };
  }

  function schedule(): void {
    cancel ??= clock.after(gatherMs, () => {
      cancel = undefined;
      announce(own());
    });
  }

  const onUpdate = (_: unknown, origin: unknown): void => {
    if (origin === "local") schedule();
  };
  awareness.on("update", onUpdate);

  function show(id: number, state: Record<string, unknown> | null): void {
    const clock = (clocks.get(id) ?? 0) + 1;
    clocks.set(id, clock);
    const states = new Map([[id, state]]);
    // `encodeAwarenessUpdate` reads these three fields only.
    const source = { states, meta: new Map([[id, { clock, lastUpdated: 0 }]]) } as unknown as Awareness;
    applyAwarenessUpdate(
      awareness,
      encodeAwarenessUpdate(source, [id], states as Map<number, Record<string, unknown>>),
      "remote",
    );
  }

  /** A tab is shown only while the relay does not show the same session. */
  function refresh(): void {
    const here = lastWords([...tabs.values(), ...relayed.values()]);
    others.set(here.filter((presence) => presence.session !== session));
    const throughRelay = new Set([...relayed.values()].map(({ presence }) => presence?.session));
    for (const [tab, seen] of tabs) {
      const state = throughRelay.has(tab) ? null : seen.awareness;
      if (state !== null || awareness.states.has(seen.id)) show(seen.id, state);
    }
  }

  function isOpenAt(place: number | string, writer: string): boolean {
    const seen = typeof place === "number" ? relayed.get(place) : tabs.get(place);
    return seen?.presence?.writers.includes(writer) ?? false;
  }

  return {
    awareness,
    others,
    own,
    setWriters(next) {
      writers = next;
      schedule();
    },
    placeOf(writer) {
      let id: number | undefined;
      let at: string | undefined;
      for (const each of relayed.keys()) if (isOpenAt(each, writer)) id = Math.max(each, id ?? 0);
      for (const each of tabs.keys()) if (isOpenAt(each, writer)) at = each;
      return { id, session: at };
    },
    isOpenAt,
    heardRelay(entries) {
      for (const { id, state: text } of entries) {
        if (text === undefined) {
          relayed.delete(id);
          show(id, null);
          continue;
        }
        const presence = parsePresence(text);
        const plain = parseJson(text);
        // A stock client's whole state is its awareness.
        const state = presence ? presence.awareness : isRecord(plain) ? plain : null;
        // A connection of this replica's own that the relay has not given up yet.
        const shown = presence?.session === session ? null : state;
        relayed.set(id, { presence, awareness: shown });
        show(id, shown);
      }
      refresh();
    },
    lostRelay() {
      for (const id of relayed.keys()) show(id, null);
      relayed.clear();
      refresh();
    },
    heardTab(presence) {
      const seen = tabs.get(presence.session) ?? { id: nextTabId++ };
      tabs.set(presence.session, { ...seen, presence, awareness: presence.awareness });
      refresh();
    },
    lostTab(tab) {
      const seen = tabs.get(tab);
      if (!seen) return;
      tabs.delete(tab);
      show(seen.id, null);
      refresh();
    },
    close() {
      cancel?.();
      awareness.off("update", onUpdate);
      awareness.destroy();
      document.destroy();
    },
  };
}

/**
 * What each session said last. A session's id is anybody's word, whose writers are open in it the relay's: who takes another's
 * session stands beside it, by its principal, and who names no writers there hides nobody.
 */
function lastWords(seen: readonly Seen[]): Presence[] {
  const words = new Map<string, Presence>();
  const speaking = new Set<string>();
  for (const { presence } of seen) {
    if (!presence) continue;
    const [writer] = presence.writers;
    if (writer !== undefined) speaking.add(presence.session);
    const principal = writer === undefined ? "" : parseWriterId(writer)?.principal;
    words.set(`${presence.session} ${principal}`, presence);
  }
  return [...words.values()].filter(({ writers, session }) => writers.length > 0 || !speaking.has(session));
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
