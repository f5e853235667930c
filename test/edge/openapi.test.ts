import { SELF } from "cloudflare:test";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { createRelay } from "../../src/edge/index.ts";
import { origin } from "./relay-client.ts";

const schemaSchema = z.record(z.string(), z.unknown());
const contentSchema = z.record(
  z.string().regex(/^[\w.+-]+\/[\w.+-]+$/),
  z.strictObject({ schema: schemaSchema.optional() }),
);
const operationSchema = z.strictObject({
  operationId: z.string().regex(/^\w+$/),
  summary: z.string().min(1),
  security: z.array(z.record(z.string(), z.array(z.string()))),
  parameters: z.array(
    z.strictObject({
      name: z.string(),
      in: z.enum(["path", "query", "header"]),
      description: z.string().optional(),
      required: z.boolean().optional(),
      schema: schemaSchema,
    }),
  ),
  requestBody: z
    .strictObject({ required: z.literal(true), description: z.string(), content: contentSchema })
    .optional(),
  responses: z.record(
    z.string().regex(/^[1-5]\d\d$/),
    z.strictObject({ description: z.string().min(1), content: contentSchema.optional() }),
  ),
});
/** What of OpenAPI 3.1 the document uses: a shape in which nothing is misspelt. */
const apiSchema = z.strictObject({
  openapi: z.literal("3.1.0"),
  info: z.strictObject({ title: z.string(), version: z.string() }),
  paths: z.record(
    z.string().startsWith("/"),
    z.partialRecord(z.enum(["get", "head", "put", "post", "delete"]), operationSchema),
  ),
  components: z.strictObject({
    securitySchemes: z.strictObject({ token: schemaSchema }),
    schemas: z.strictObject({ Problem: schemaSchema }),
  }),
});

const response = await SELF.fetch(`${origin}/openapi.json`);
const document: unknown = await response.json();
const api = apiSchema.parse(document);
const operations = Object.entries(api.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ path, method, ...operation })),
);

describe("the description of the API", () => {
  test("API-1: is OpenAPI 3.1, and JSON", () => {
    expect(response.headers.get("content-type")).toBe("application/json");
    expect(new Set(operations.map(({ operationId }) => operationId)).size).toBe(operations.length);
  });

  test("API-2: has every route of the relay, and no other", () => {
    const served = createRelay()
      .routes.filter(({ method }) => method !== "ALL")
      .map(({ method, path }) => `${method} ${path.replace(/:(\w+)(\{[^}]*\})?/g, "{$1}")}`);
    const described = operations.filter(({ method }) => method !== "head");
    expect(described.map(({ method, path }) => `${method.toUpperCase()} ${path}`).sort()).toEqual(
      [...served].sort(),
    );
    expect(served.length).toBeGreaterThan(15);
  });

  test("API-3: describes each part of an address, and requires it", () => {
    for (const { path, parameters } of operations) {
      const named = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
      const described = parameters.filter((parameter) => parameter.in === "path");
      expect(described.map(({ name }) => name).sort()).toEqual(named.sort());
      for (const { required, schema } of described) {
        expect(required).toBe(true);
        expect(schema).toMatchObject({ type: "string", pattern: expect.stringMatching(/^\^.*\$$/) });
      }
    }
  });

  test("API-3: says which scope each operation needs, and how it is refused", () => {
    for (const { path, security, responses } of operations) {
      const isOpen = !path.startsWith("/v1/");
      expect(security.length > 0).toBe(!isOpen);
      for (const each of security) expect(each).toEqual({ token: [expect.any(String)] });
      if (isOpen) continue;
      expect(Object.keys(responses)).toEqual(expect.arrayContaining(["400", "401", "403", "503"]));
      expect(responses["401"]?.content).toEqual({
        "application/problem+json": { schema: { $ref: "#/components/schemas/Problem" } },
      });
    }
  });

  test("API-4: its schema of problems is that of the problems that are answered", async () => {
    const problem = (await (await SELF.fetch(`${origin}/nothing`)).json()) as object;
    expect(Object.keys(problem).sort()).toEqual(
      [...(api.components.schemas.Problem["required"] as string[])].sort(),
    );
  });
});
