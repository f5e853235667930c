import type { Undo } from "./clock.ts";

/** Listeners of one event. A listener that throws stops neither the others nor the emitter. */
export interface Emitter<T> {
  on(listener: (event: T) => void): Undo;
  emit(event: T): void;
  readonly size: number;
}

/** Creates an emitter; failures of listeners are rethrown in a task of their own, where the host reports them. */
export function createEmitter<T>(): Emitter<T> {
  const listeners = new Set<{ call: (event: T) => void }>();
  return {
    on(listener) {
      const entry = { call: listener };
      listeners.add(entry);
      return () => void listeners.delete(entry);
    },
    emit(event) {
      for (const entry of [...listeners]) {
        try {
          entry.call(event);
        } catch (failure) {
          queueMicrotask(() => {
            throw failure;
          });
        }
      }
    },
    get size() {
      return listeners.size;
    },
  };
}

/** A value that can be read now and watched: the shape that React's `useSyncExternalStore` and Svelte expect. */
export interface Store<T> {
  get(): T;
  /** Calls `listener` with each new value, not with the present one. */
  subscribe(listener: (value: T) => void): Undo;
}

/** A store that its owner can set. Setting an identical value (`Object.is`) tells nobody. */
export interface WritableStore<T> extends Store<T> {
  set(value: T): void;
}

/** Creates a store with its first value. */
export function createStore<T>(initial: T): WritableStore<T> {
  const emitter = createEmitter<T>();
  let current = initial;
  return {
    get: () => current,
    set(value) {
      if (Object.is(value, current)) return;
      current = value;
      emitter.emit(value);
    },
    subscribe: (listener) => emitter.on(listener),
  };
}
