import { WebsocketProvider } from "y-websocket";
import * as Y from "yjs";

/** A document and y-websocket's own provider, as somebody without this library would use them. */
export interface StockClient {
  readonly document: Y.Doc;
  readonly provider: WebsocketProvider;
}

/** Joins the document `shared`; resolves when it is synced. */
export async function openStockClient(base: string): Promise<StockClient> {
  const document = new Y.Doc();
  const provider = new WebsocketProvider(base, "shared", document);
  await new Promise<void>((resolve) => provider.once("sync", () => resolve()));
  return { document, provider };
}
