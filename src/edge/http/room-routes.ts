import { Hono } from "hono";
import { FlockError } from "../../base/index.ts";
import type { Log } from "../operations/log.ts";
import type { RoomAdministration } from "../room/administration.ts";
import { closureOf } from "../room/condition.ts";
import type { RoomStorage } from "../room/ports.ts";
import { isRevoked } from "../room/revocations.ts";
import { administrationRoutes, archiveType } from "./administration-routes.ts";
import { answerFailures } from "./answering.ts";
import { admissionRoute, readRoomRequest } from "./room-request.ts";
import { mount, type RouteEnvironment, readBody } from "./route.ts";
import { revocationSchema } from "./schemas.ts";

/** What a room's object serves its routes from. */
export interface RoomRoutesOptions {
  administration: RoomAdministration;
  storage: RoomStorage;
  log: Log;
}

/** The routes that the room's object serves to requests which the Worker checked; what only the room knows it adds. */
export function createRoomRoutes({
  administration,
  storage,
  log,
}: RoomRoutesOptions): Hono<RouteEnvironment<object>> {
  const app = new Hono<RouteEnvironment<object>>();
  answerFailures(app, log);
  app.use(async (c, next) => {
    const { grant, requestId } = readRoomRequest(c.req.raw);
    c.set("requestId", requestId);
    c.set("grantFor", async () => grant);
    if (isRevoked(storage, grant)) {
      throw new FlockError("edge/token-revoked", "An administrator revoked the token.");
    }
    await next();
    c.res.headers.set("cache-control", "no-store");
  });

  mount(app, admissionRoute, () => {
    const closure = closureOf(storage);
    if (closure) throw closure;
    return done();
  });
  mount(app, administrationRoutes.status, () => Response.json(administration.status()));
  mount(app, administrationRoutes.documents, (_, { query }) =>
    Response.json({ documents: administration.documents(query.after, query.limit) }),
  );
  mount(app, administrationRoutes.audit, (_, { query }) =>
    Response.json({ entries: administration.audit(query.after, query.limit) }),
  );
  mount(app, administrationRoutes.revocations, () => Response.json(administration.revocations()));
  mount(app, administrationRoutes.exportRoom, async (_, { grant, params: { room } }) => {
    const body = await openStream(administration.exportRoom(grant, room));
    return new Response(body, {
      headers: {
        "content-type": archiveType,
        "content-disposition": `attachment; filename="${room}.flockstate"`,
        "x-content-type-options": "nosniff",
      },
    });
  });
  mount(app, administrationRoutes.importRoom, async (c, { grant }) =>
    Response.json(await administration.importRoom(chunksOf(c.req.raw.body), grant)),
  );
  mount(app, administrationRoutes.deleteRoom, (_, { grant }) => {
    administration.deleteRoom(grant);
    return done();
  });
  mount(app, administrationRoutes.halt, (_, { grant }) => {
    administration.halt(grant);
    return done();
  });
  mount(app, administrationRoutes.release, (_, { grant }) => {
    administration.release(grant);
    return done();
  });
  mount(app, administrationRoutes.revoke, async (c, { grant }) => {
    administration.revoke(grant, await readBody(c.req.raw, revocationSchema));
    return done();
  });
  return app;
}

function done(): Response {
  return new Response(null, { status: 204 });
}

async function* chunksOf(body: ReadableStream<Uint8Array> | null): AsyncIterable<Uint8Array> {
  if (body) yield* body;
}

/** Reads the first chunk ahead, so that what fails at once is a problem, not a stream that breaks off. */
async function openStream(chunks: AsyncIterable<Uint8Array>): Promise<ReadableStream<Uint8Array>> {
  const iterator = chunks[Symbol.asyncIterator]();
  let ahead: IteratorResult<Uint8Array> | undefined = await iterator.next();
  return new ReadableStream({
    async pull(controller) {
      const { done: ended, value } = ahead ?? (await iterator.next());
      ahead = undefined;
      if (ended) controller.close();
      else controller.enqueue(value);
    },
    async cancel() {
      await iterator.return?.();
    },
  });
}
