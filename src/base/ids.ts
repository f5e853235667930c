import { FlockError } from "./errors.ts";

const idPattern = /^[A-Za-z0-9_-]{1,64}$/;

/** Tells whether a value is an id: 1-64 characters of `A-Za-z0-9_-`. */
export function isId(value: unknown): value is string {
  return typeof value === "string" && idPattern.test(value);
}

/**
 * Returns the id, or throws.
 *
 * @param what names the value in the message, for instance `room`.
 * @throws `base/invalid-id`
 */
export function parseId(value: unknown, what: string): string {
  if (isId(value)) return value;
  throw new FlockError(
    "base/invalid-id",
    `The ${what} id ${JSON.stringify(value)} is not valid: use 1-64 characters of A-Za-z0-9_-.`,
    { details: { what } },
  );
}

/** Who wrote: one agent of one principal in one local database. */
export interface WriterParts {
  principal: string;
  agent: string;
  nonce: string;
}

/** The dotted name of a writer: `alice.planner.x7`. */
export function writerId({ principal, agent, nonce }: WriterParts): string {
  return `${principal}.${agent}.${nonce}`;
}

/** The parts of a writer's name, or undefined where it is none. */
export function parseWriterId(value: string): WriterParts | undefined {
  const [principal, agent, nonce, ...rest] = value.split(".");
  return rest.length === 0 && isId(principal) && isId(agent) && isId(nonce)
    ? { principal, agent, nonce }
    : undefined;
}

/** A source of random bytes; the simulator hands in a seeded one. */
export type RandomBytes = (length: number) => Uint8Array;

/** The machine's cryptographic randomness. */
export const systemRandom: RandomBytes = (length) => crypto.getRandomValues(new Uint8Array(length));

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/** A random id: 11 base64url characters, 66 bits. */
export function randomId(random: RandomBytes = systemRandom, length = 11): string {
  let id = "";
  for (const byte of random(length)) id += alphabet[byte & 63];
  return id;
}
