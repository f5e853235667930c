import type { Context, Hono } from "hono";
import type { z } from "zod";
import { type ErrorCode, FlockError } from "../../base/index.ts";
import type { TokenScope } from "../../protocol/index.ts";
import { allows, type Grant } from "../room/grant.ts";
import { isUpgrade } from "./upgrade.ts";

/** What an answer holds; without a type it has no body. */
export interface Answer {
  description: string;
  contentType?: string;
  schema?: z.ZodType;
}

/** One route: what it takes, what it needs, what it answers. The relay serves from it and `/openapi.json` is made of it. */
export interface Route<
  Params extends z.ZodObject = z.ZodObject,
  Query extends z.ZodObject = z.ZodObject,
  Body extends z.ZodType = z.ZodType,
> {
  id: string;
  method: "GET" | "PUT" | "POST" | "DELETE";
  /** As Hono writes it: `/v1/rooms/:room/refs/:id`. */
  path: string;
  summary: string;
  /** The scope that a token must have; undefined where none is asked for. */
  needs: TokenScope | undefined;
  /** Another that does as well. */
  or?: TokenScope;
  params: Params;
  query?: Query;
  /** A body of JSON that the schema describes, or bytes of a type. */
  body?: { contentType: string; schema?: Body; description: string };
  /** Whether it is a socket's, and answers nothing but upgrades. */
  upgrade?: true;
  /** Whether HEAD is answered as well. */
  head?: true;
  answers: Readonly<Record<number, Answer>>;
  problems: readonly ErrorCode[];
}

/** Declares a route. */
export function declareRoute<
  Params extends z.ZodObject,
  Query extends z.ZodObject = z.ZodObject,
  Body extends z.ZodType = z.ZodType,
>(route: Route<Params, Query, Body>): Route<Params, Query, Body> {
  return route;
}

/** What every request carries through the routes. */
export interface RouteVariables {
  requestId: string;
  /** Whom the request speaks for in a room; throws a coded error where nobody may. */
  grantFor(room: string): Promise<Grant>;
}

/** What a handler gets of a request that may be served. */
export interface RouteInput<Params extends z.ZodObject, Query extends z.ZodObject> {
  params: z.infer<Params>;
  query: z.infer<Query>;
  grant: Grant;
}

/** The environment of an app that mounts routes. */
export interface RouteEnvironment<Bindings extends object> {
  Bindings: Bindings;
  Variables: RouteVariables;
}

/** What an invalid part of an address is called. */
const addressCodes: Readonly<Record<string, ErrorCode>> = {
  room: "protocol/invalid-room",
  id: "refstore/invalid-id",
  document: "protocol/unknown-document",
};
const nobody: Grant = { principal: "", scopes: [], tokenId: "", issuedAt: 0 };
const maxJsonBytes = 16 * 1024;

/** Serves a route: the address is checked first, then the token and its scope, then the rest. */
export function mount<Bindings extends object, Params extends z.ZodObject, Query extends z.ZodObject>(
  app: Hono<RouteEnvironment<Bindings>>,
  route: Route<Params, Query>,
  serve: (
    c: Context<RouteEnvironment<Bindings>>,
    input: RouteInput<Params, Query>,
  ) => Response | Promise<Response>,
): void {
  app.on(route.method, route.path, async (c) => {
    assertKind(route, c.req.raw);
    const params = check(route.params, c.req.param(), (name) => addressCodes[name]);
    const grant = await admit(c, route, (params as { room?: string }).room);
    const query = route.query ? check(route.query, c.req.query()) : ({} as z.infer<Query>);
    return serve(c, { params, query, grant });
  });
}

/** A room's object takes every upgrade for a socket, so that none may reach it by another route. */
function assertKind({ upgrade = false }: { upgrade?: boolean }, request: Request): void {
  if (upgrade === isUpgrade(request)) return;
  throw upgrade
    ? new FlockError("edge/upgrade-required", "This address takes WebSockets only: connect with ws: or wss:.")
    : new FlockError("edge/invalid-request", "This address takes no WebSockets: send a plain request.");
}

async function admit(
  c: { var: RouteVariables },
  { needs, or = needs }: Pick<Route, "needs" | "or">,
  room: string | undefined,
): Promise<Grant> {
  if (needs === undefined || or === undefined || room === undefined) return nobody;
  const grant = await c.var.grantFor(room);
  if (allows(grant, needs) || allows(grant, or)) return grant;
  throw new FlockError("edge/forbidden", `The token lacks the scope ${needs}.`);
}

/**
 * Reads a body of JSON.
 *
 * @throws `edge/invalid-request`
 */
export async function readBody<Body extends z.ZodType>(
  request: Request,
  schema: Body,
): Promise<z.infer<Body>> {
  const decoder = new TextDecoder();
  let text = "";
  let bytes = 0;
  for await (const chunk of request.body ?? []) {
    bytes += chunk.length;
    if (bytes > maxJsonBytes) {
      throw new FlockError("edge/invalid-request", `The body is longer than ${maxJsonBytes} bytes.`);
    }
    text += decoder.decode(chunk, { stream: true });
  }
  let value: unknown;
  try {
    value = JSON.parse(text + decoder.decode());
  } catch (cause) {
    throw new FlockError("edge/invalid-request", "The body is no JSON.", { cause });
  }
  return check(schema, value);
}

function check<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
  codeOf: (name: string) => ErrorCode | undefined = () => undefined,
): z.infer<Schema> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const name = String(issue?.path[0] ?? "");
  throw new FlockError(
    codeOf(name) ?? "edge/invalid-request",
    `The request does not hold${name && ` at ${name}`}: ${issue?.message}.`,
  );
}
