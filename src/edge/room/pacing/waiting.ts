import type { Session } from "../sockets/session.ts";

/** Sessions that wait, in an order that gives each principal its turn, however many sessions it has. */
export interface Waiting extends Iterable<Session> {
  readonly size: number;
  has(session: Session): boolean;
  /** At the end of its principal's sessions, and with that at the end of the principals. */
  add(session: Session): void;
  delete(session: Session): boolean;
  clear(): void;
  /** Those of whom one may go in each round: the sessions of one principal or, where only one has any, each by itself. */
  lines(): Session[][];
  /** Whether somebody else waits than this principal. */
  isBeside(principal: string): boolean;
}

/** Creates it empty. */
export function createWaiting(): Waiting {
  const lines = new Map<string, Set<Session>>();
  let size = 0;

  return {
    get size() {
      return size;
    },
    has: (session) => lines.get(principalOf(session))?.has(session) ?? false,
    add(session) {
      const principal = principalOf(session);
      const line = lines.get(principal) ?? new Set();
      if (!line.has(session)) size++;
      line.delete(session);
      line.add(session);
      lines.delete(principal);
      lines.set(principal, line);
    },
    delete(session) {
      const principal = principalOf(session);
      const line = lines.get(principal);
      if (!line?.delete(session)) return false;
      size--;
      if (line.size === 0) lines.delete(principal);
      return true;
    },
    clear() {
      lines.clear();
      size = 0;
    },
    lines() {
      const all = [...lines.values()].map((line) => [...line]);
      return all.length === 1 ? all.flat().map((session) => [session]) : all;
    },
    *[Symbol.iterator]() {
      for (const line of lines.values()) yield* line;
    },
    isBeside: (principal) => lines.size > (lines.has(principal) ? 1 : 0),
  };
}

function principalOf({ attachment }: Session): string {
  return attachment.grant.principal;
}
