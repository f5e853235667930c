/** Values by document and Yjs client, of all documents of a room together; past its bound all are forgotten. */
export interface ClientCache<T> {
  get(document: number, client: number): T | undefined;
  put(document: number, client: number, value: T): void;
  /** Forgets a document. */
  forget(document: number): void;
  clear(): void;
}

/** Creates a cache of at most so many values. */
export function createClientCache<T>(maxValues: number): ClientCache<T> {
  const documents = new Map<number, Map<number, T>>();
  let size = 0;

  function clear(): void {
    documents.clear();
    size = 0;
  }

  return {
    get: (document, client) => documents.get(document)?.get(client),
    put(document, client, value) {
      if (size >= maxValues) clear();
      const clients = documents.get(document) ?? new Map<number, T>();
      documents.set(document, clients);
      if (!clients.has(client)) size++;
      clients.set(client, value);
    },
    forget(document) {
      size -= documents.get(document)?.size ?? 0;
      documents.delete(document);
    },
    clear,
  };
}
