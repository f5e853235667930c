import * as Y from "yjs";
import { createEmitter, FlockError, type Store } from "../../base/index.ts";
import { isJson, type Json } from "../../protocol/index.ts";
import type { Write } from "../write.ts";

/** What handles need of the document that holds them. */
export interface StateHost {
  readonly document: Y.Doc;
  /** Runs a change as one transaction; the handle settles when all of it has. */
  transact(change: () => void): Write;
}

/** A store derived from another: tells only when what the selector gives has changed (`Object.is`). */
export type Select<T> = <Selected>(selector: (value: T) => Selected) => Store<Selected>;

/** A plain immutable snapshot of a Yjs type, made anew only when the type has changed. */
export interface Snapshot<T> extends Store<T> {
  select: Select<T>;
}

/** Makes the snapshot store of a root type. `read` must return frozen or fresh data. */
export function createSnapshot<T>(
  document: Y.Doc,
  type: Pick<Y.AbstractType<Y.YEvent<Y.AbstractType<unknown>>>, "observeDeep">,
  read: () => T,
): Snapshot<T> {
  const changes = createEmitter<T>();
  let current: { value: T } | undefined;

  function get(): T {
    current ??= { value: read() };
    return current.value;
  }

  // Before any observer runs, so that an editor's own observer reads what it is told about.
  document.on("beforeObserverCalls", ({ changed }: Y.Transaction) => {
    for (const each of changed.keys()) if (Object.is(rootOf(each), type)) current = undefined;
  });
  type.observeDeep(() => {
    if (changes.size > 0) changes.emit(get());
  });

  return {
    get,
    subscribe: (listener) => changes.on(listener),
    select<Selected>(selector: (value: T) => Selected): Store<Selected> {
      let made: { from: T; value: Selected } | undefined;
      // One object as long as nothing changed: React's `useSyncExternalStore` would never rest otherwise.
      const selected = (): Selected => {
        const from = get();
        if (!made || !Object.is(made.from, from)) made = { from, value: selector(from) };
        return made.value;
      };
      return {
        get: selected,
        subscribe(listener) {
          let last = selected();
          return changes.on(() => {
            const next = selected();
            if (Object.is(next, last)) return;
            last = next;
            listener(next);
          });
        },
      };
    },
  };
}

/**
 * Returns a copy of the value as JSON: Yjs keeps the very object, and its writer may go on changing its own.
 *
 * @throws `crdt/invalid-value`
 */
export function toJson(value: unknown, what: string): Json {
  if (isJson(value)) return structuredClone(value);
  throw new FlockError(
    "crdt/invalid-value",
    `${what} is no plain JSON of at most 32 levels: leave out undefined, functions, dates and class instances.`,
  );
}

/** What a document holds as plain JSON, a nested Yjs type as its contents; undefined where it is none. */
export function plainOf(raw: unknown): Json | undefined {
  const value: unknown = raw instanceof Y.AbstractType ? raw.toJSON() : raw;
  return isJson(value) ? value : undefined;
}

/** Freezes JSON all the way down, so that a snapshot can be handed out. */
export function freeze<T>(value: T): T {
  if (typeof value !== "object" || value === null || Object.isFrozen(value)) return value;
  for (const part of Object.values(value)) freeze(part);
  return Object.freeze(value);
}

/** Something that lies in a document: directly, or within the type of an item. */
interface Placed {
  readonly _item: Y.Item | null;
}

function rootOf(type: Placed): Placed {
  let root = type;
  while (root._item) root = root._item.parent as unknown as Placed;
  return root;
}
