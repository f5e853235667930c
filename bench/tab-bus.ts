import type { RoomPlatform } from "../src/index.ts";

type OpenTabChannel = Exclude<NonNullable<RoomPlatform["openTabChannel"]>, false>;

/** Channels within one process: what one end posts, the others get a turn later, copied as browsers do. */
export function createTabBus(): OpenTabChannel {
  const ends = new Set<{ name: string; hear: (message: unknown) => void }>();
  return (name, hear) => {
    const own = { name, hear };
    ends.add(own);
    return {
      post(message) {
        const copy = structuredClone(message);
        setImmediate(() => {
          for (const end of ends) if (end !== own && end.name === name) end.hear(copy);
        });
      },
      close: () => void ends.delete(own),
    };
  };
}
