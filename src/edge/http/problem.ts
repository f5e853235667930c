import { z } from "zod";
import { type ErrorCode, FlockError } from "../../base/index.ts";

/** The status of a problem; 400 where none is more exact. */
const statuses: Partial<Record<ErrorCode, number>> = {
  "edge/token-required": 401,
  "edge/token-invalid": 401,
  "edge/token-expired": 401,
  "edge/token-revoked": 401,
  "edge/forbidden": 403,
  "edge/not-local": 403,
  "edge/origin-refused": 403,
  "edge/not-found": 404,
  "refstore/not-found": 404,
  "edge/room-not-empty": 409,
  "edge/too-many-revocations": 409,
  "edge/room-deleted": 410,
  "edge/document-full": 413,
  "edge/room-full": 413,
  "edge/too-many-documents": 413,
  "refstore/too-large": 413,
  "edge/invalid-archive": 422,
  "refstore/corrupt": 422,
  "edge/halted": 423,
  "edge/upgrade-required": 426,
  "edge/rate-limited": 429,
  "edge/too-many-connections": 429,
  "edge/invalid-settings": 503,
  "edge/not-configured": 503,
  "edge/unavailable": 503,
  "refstore/unavailable": 503,
  "refstore/quota": 507,
};

const titles: Readonly<Record<number, string>> = {
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  409: "Conflict",
  410: "Gone",
  413: "Content Too Large",
  422: "Unprocessable Content",
  423: "Locked",
  426: "Upgrade Required",
  429: "Too Many Requests",
  503: "Service Unavailable",
  507: "Insufficient Storage",
};

/** How a client is told to come again with another token (RFC 6750). */
const challenges: Partial<Record<ErrorCode, string>> = {
  "edge/token-required": "Bearer",
  "edge/token-invalid": 'Bearer error="invalid_token"',
  "edge/token-expired": 'Bearer error="invalid_token"',
  "edge/token-revoked": 'Bearer error="invalid_token"',
  "edge/forbidden": 'Bearer error="insufficient_scope"',
};

/** The HTTP status that goes with an error's code. */
export function statusOf(code: ErrorCode): number {
  return statuses[code] ?? 400;
}

/** Answers with problem details (RFC 9457): a code to switch on, a sentence for people, the request's id. */
export function problem(code: ErrorCode, detail: string, requestId: string): Response {
  const status = statusOf(code);
  const challenge = challenges[code];
  return new Response(
    JSON.stringify({ type: "about:blank", title: titles[status], status, detail, instance: requestId, code }),
    {
      status,
      headers: {
        "content-type": "application/problem+json",
        "cache-control": "no-store",
        "x-content-type-options": "nosniff",
        ...(challenge !== undefined && { "www-authenticate": challenge }),
      },
    },
  );
}

const codeSchema = z.object({ code: z.string(), detail: z.string() });

/** Reads a problem that a room answered. */
export async function readProblem(response: Response): Promise<FlockError> {
  const { code, detail } = codeSchema.parse(await response.json());
  return new FlockError(code as ErrorCode, detail);
}
