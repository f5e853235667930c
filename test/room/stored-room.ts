import stored from "./room-of-version-1.json" with { type: "json" };

interface StoredDatabase {
  readonly name: string;
  readonly stores: Readonly<Record<string, readonly (readonly [key: string | number, value: unknown])[]>>;
}

/** Puts back what a room of storage version 1 had left in a browser; its id is `fixture`, its agent `planner`. */
export async function restoreRoomOfVersion1(factory: IDBFactory): Promise<void> {
  for (const { name, stores } of stored as unknown as readonly StoredDatabase[]) {
    const request = factory.open(name);
    request.onupgradeneeded = () => {
      for (const [store, pairs] of Object.entries(stores)) {
        const made = request.result.createObjectStore(store, { autoIncrement: store === "updates" });
        for (const [key, value] of pairs) made.put(decode(value), key);
      }
    };
    await new Promise((resolve, reject) => {
      request.onsuccess = resolve;
      request.onerror = () => reject(request.error);
    });
    request.result.close();
  }
}

function decode(value: unknown): unknown {
  const isBytes = typeof value === "object" && value !== null && "$bytes" in value;
  return isBytes ? new Uint8Array(Buffer.from(String(value.$bytes), "base64")) : value;
}
