import type { Undo } from "../base/index.ts";

/** The names of the databases that this process has open. */
export interface OpenNames {
  enter(name: string): Undo;
  /** One that begins with the prefix. */
  find(prefix: string): string | undefined;
}

/** Creates the set, empty. */
export function createOpenNames(): OpenNames {
  const open = new Set<{ name: string }>();
  return {
    enter(name) {
      const entry = { name };
      open.add(entry);
      return () => void open.delete(entry);
    },
    find: (prefix) => [...open].find(({ name }) => name.startsWith(prefix))?.name,
  };
}
