import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** What a test may have the server do instead of its duty: answer, or return false to let it be done. */
export type Intercept = (request: IncomingMessage, response: ServerResponse) => boolean;

export interface ReferenceServer {
  /** As `createHttpStore` takes it. */
  readonly baseUrl: string;
  /** What is stored, by id; tests may damage it. */
  readonly stored: Map<string, { bytes: Buffer; contentType: string }>;
  /** Method and headers of every request so far. */
  readonly requests: { method: string; id: string; headers: IncomingMessage["headers"] }[];
  intercept: Intercept;
  close(): Promise<void>;
}

/** A server with the relay's semantics for references, kept in memory. */
export async function openReferenceServer(): Promise<ReferenceServer> {
  const stored: ReferenceServer["stored"] = new Map();
  const requests: ReferenceServer["requests"] = [];

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const method = request.method ?? "";
    const id = (request.url ?? "").split("/").at(-1) ?? "";
    requests.push({ method, id, headers: request.headers });
    if (server.intercept(request, response)) return;
    const found = stored.get(id);
    if (method === "PUT") {
      const bytes = Buffer.concat(await request.toArray());
      if (createHash("sha256").update(bytes).digest("hex") !== id) {
        return problem(response, 422, "edge/wrong-hash");
      }
      if (!found) stored.set(id, { bytes, contentType: request.headers["content-type"] ?? "" });
      response.writeHead(found ? 200 : 201).end();
    } else if (method === "DELETE") {
      response.writeHead(stored.delete(id) ? 204 : 404).end();
    } else if (found) {
      const headers = { "content-type": found.contentType, "content-length": found.bytes.length };
      response.writeHead(200, headers).end(method === "HEAD" ? undefined : found.bytes);
    } else {
      problem(response, 404, "refstore/not-found");
    }
  }

  const listener = createServer((request, response) => void handle(request, response));
  await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
  const { port } = listener.address() as AddressInfo;
  const server: ReferenceServer = {
    baseUrl: `http://127.0.0.1:${port}/v1/rooms/test/refs`,
    stored,
    requests,
    intercept: () => false,
    close: () =>
      new Promise((resolve) => {
        listener.close(() => resolve());
        listener.closeAllConnections();
      }),
  };
  return server;
}

/** Answers with a problem document. */
export function problem(response: ServerResponse, status: number, code: string): void {
  response.writeHead(status, { "content-type": "application/problem+json" }).end(JSON.stringify({ code }));
}
