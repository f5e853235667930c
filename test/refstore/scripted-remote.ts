import { createInMemoryStore, type ReferenceStore } from "../../src/refstore/index.ts";

type Method = "put" | "get" | "has";

/** A remote whose network a test holds in its hands. */
export interface ScriptedRemote extends ReferenceStore {
  /** `method size` of each call, in order. */
  readonly calls: string[];
  /** Runs before the remote acts: throw, wait, or let it pass. */
  before: (method: Method, key: number | string, signal: AbortSignal | undefined) => Promise<void> | void;
  /** Runs after it acted: a throw is an answer that was lost. */
  after: (method: Method) => Promise<void> | void;
}

/** Creates a remote; puts are known by the length of their bytes, the rest by id. */
export function createScriptedRemote(): ScriptedRemote {
  const store = createInMemoryStore({ maxBytes: Number.POSITIVE_INFINITY });
  const calls: string[] = [];

  async function act<T>(
    method: Method,
    key: number | string,
    signal: AbortSignal | undefined,
    work: () => Promise<T>,
  ) {
    calls.push(`${method} ${typeof key === "string" ? key.slice(0, 6) : key}`);
    await remote.before(method, key, signal);
    const result = await work();
    await remote.after(method);
    return result;
  }

  const remote: ScriptedRemote = {
    calls,
    before: () => undefined,
    after: () => undefined,
    put: (bytes, options) => act("put", bytes.length, options?.signal, () => store.put(bytes, options)),
    get: (reference, options) => {
      const id = typeof reference === "string" ? reference : reference.id;
      return act("get", id, options?.signal, () => store.get(reference, options));
    },
    has: (id, options) => act("has", id, options?.signal, () => store.has(id, options)),
    delete: (id) => store.delete(id),
    close: () => store.close(),
  };
  return remote;
}

/** Waits until the signal aborts, as a request to a silent server does. */
export function silence(signal: AbortSignal | undefined): Promise<never> {
  return new Promise((_, reject) => {
    signal?.addEventListener("abort", () => reject(signal.reason));
  });
}
