import { readdir, stat, statfs } from "node:fs/promises";
import { join } from "node:path";
import type { RoomPlatform } from "../room/index.ts";

/** Says how much a directory holds, and how much its disk would take of it; nothing of it is ever taken away. */
export function createDirectoryStorage(directory: string): NonNullable<RoomPlatform["storage"]> {
  return {
    async estimate() {
      try {
        const { bavail, bsize } = await statfs(directory);
        const usage = await bytesIn(directory);
        return { usage, quota: usage + bavail * bsize };
      } catch {
        // Not there before the first database.
        return {};
      }
    },
    persist: async () => true,
    persisted: async () => true,
  };
}

async function bytesIn(directory: string): Promise<number> {
  const names = await readdir(directory, { recursive: true });
  const sizes = await Promise.all(
    names.map((name) =>
      stat(join(directory, name)).then(
        (found) => (found.isFile() ? found.size : 0),
        // It has gone since it was listed.
        () => 0,
      ),
    ),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}
