import { z } from "zod";
import type { ErrorCode } from "../../base/index.ts";
import { tokenScopes } from "../../protocol/index.ts";
import { relayVersion } from "../version.ts";
import { statusOf } from "./problem.ts";
import type { Answer, Route } from "./route.ts";
import { problemSchema } from "./schemas.ts";

const everywhere: readonly ErrorCode[] = ["edge/origin-refused", "edge/not-local", "edge/unavailable"];
const withToken: readonly ErrorCode[] = [
  "edge/token-required",
  "edge/token-invalid",
  "edge/token-expired",
  "edge/token-revoked",
  "edge/forbidden",
  "edge/not-configured",
];
const requestId = {
  name: "X-Request-ID",
  in: "header",
  description: "Returned as it came; where it is absent, or none, the relay makes one.",
  schema: { type: "string", pattern: "^[A-Za-z0-9_.~-]{1,64}$" },
};

/** Describes routes in OpenAPI 3.1, with the very schemas that they are served by. */
export function describeApi(routes: readonly Route[]): Record<string, unknown> {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const route of routes) {
    const path = route.path.replace(/:(\w+)(\{[^}]*\})?/g, "{$1}");
    const operations = paths[path] ?? {};
    paths[path] = operations;
    operations[route.method.toLowerCase()] = describeRoute(route, route.id);
    if (route.head) operations["head"] = describeRoute(route, `${route.id}Head`);
  }
  return {
    openapi: "3.1.0",
    info: { title: "flockstate relay", version: relayVersion },
    paths,
    components: {
      securitySchemes: {
        token: {
          type: "http",
          scheme: "bearer",
          bearerFormat: "JWT",
          description: `A token of the room. Scopes: ${tokenScopes.join(", ")}.`,
        },
      },
      schemas: { Problem: jsonSchema(problemSchema) },
    },
  };
}

function describeRoute(route: Route, operationId: string): Record<string, unknown> {
  const { summary, needs, or, params, query, body, answers } = route;
  return {
    operationId,
    summary,
    security: [needs, or].flatMap((scope) => (scope === undefined ? [] : [{ token: [scope] }])),
    parameters: [...describeParameters(params, "path"), ...describeParameters(query, "query"), requestId],
    ...(body && {
      requestBody: {
        required: true,
        description: body.description,
        content: { [body.contentType]: body.schema ? { schema: jsonSchema(body.schema) } : {} },
      },
    }),
    responses: {
      ...Object.fromEntries(
        Object.entries(answers).map(([status, answer]) => [status, describeAnswer(answer)]),
      ),
      ...describeProblems(problemsOf(route)),
    },
  };
}

function describeParameters(schema: z.ZodObject | undefined, place: "path" | "query"): unknown[] {
  return Object.entries(schema?.shape ?? {}).map(([name, part]) => {
    const { description, ...rest } = jsonSchema(part as z.ZodType);
    return {
      name,
      in: place,
      required: place === "path",
      ...(description !== undefined && { description }),
      schema: rest,
    };
  });
}

function describeAnswer({ description, contentType, schema }: Answer): Record<string, unknown> {
  return {
    description,
    ...(contentType !== undefined && {
      content: { [contentType]: schema ? { schema: jsonSchema(schema) } : {} },
    }),
  };
}

function problemsOf({ needs, params, query, body, problems }: Route): ErrorCode[] {
  return [
    ...problems,
    ...everywhere,
    ...(needs === undefined ? [] : withToken),
    ...("room" in params.shape ? (["protocol/invalid-room"] as const) : []),
    ...(query || body?.schema ? (["edge/invalid-request"] as const) : []),
  ];
}

/** One response a status, which names the codes that it may carry. */
function describeProblems(codes: readonly ErrorCode[]): Record<string, unknown> {
  const byStatus = new Map<number, ErrorCode[]>();
  for (const code of codes) byStatus.set(statusOf(code), [...(byStatus.get(statusOf(code)) ?? []), code]);
  return Object.fromEntries(
    [...byStatus].map(([status, named]) => [
      status,
      {
        description: named.join(", "),
        content: { "application/problem+json": { schema: { $ref: "#/components/schemas/Problem" } } },
      },
    ]),
  );
}

/** OpenAPI 3.1 takes JSON Schema as it is; the dialect is said once for the whole document. */
function jsonSchema(schema: z.ZodType): Record<string, unknown> {
  const { $schema, ...described } = z.toJSONSchema(schema, { io: "input" });
  return described;
}
