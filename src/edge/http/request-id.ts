import { randomId } from "../../base/index.ts";

/** The header by which a request is told apart in logs, theirs and ours. */
export const requestIdHeader = "x-request-id";

const pattern = /^[\w.~-]{1,64}$/;
const length = 22;

/** The id that a request brings where it is one, 1-64 characters of `A-Za-z0-9_.~-`; else a new one. */
export function requestIdOf(request: Request): string {
  const given = request.headers.get(requestIdHeader);
  return given !== null && pattern.test(given) ? given : randomId(undefined, length);
}
