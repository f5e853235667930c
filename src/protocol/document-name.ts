import { FlockError, isId, parseWriterId } from "../base/index.ts";

/** What a document's name says of it. The gate takes profile and owner from here, never from the content. */
export type DocumentName =
  | { kind: "shared"; name: string }
  | { kind: "register"; name: string; writer: string; principal: string }
  | { kind: "lane"; name: string; writer: string; principal: string; page: PageName };

/** The name of a page: its number in the lane, and the one Yjs client that writes it. */
export interface PageName {
  number: number;
  client: number;
}

const pagePattern = /^(0|[1-9][0-9]{0,8})-(0|[1-9][0-9]{0,9})$/;
const maxClient = 2 ** 32 - 1;

/** Reads `<number>-<client>`; undefined where it is not in that form. */
export function parsePageName(value: string): PageName | undefined {
  const match = pagePattern.exec(value);
  if (!match) return undefined;
  const client = Number(match[2]);
  return client <= maxClient ? { number: Number(match[1]), client } : undefined;
}

/** The inverse of {@link parsePageName}. */
export function formatPageName({ number, client }: PageName): string {
  return `${number}-${client}`;
}

/** The order of pages in a lane: by number, then client. */
export function comparePages(a: PageName, b: PageName): number {
  return a.number - b.number || a.client - b.client;
}

/** The name of a shared document; without an id, that of the main one. */
export function sharedName(id?: string): string {
  return id === undefined ? "shared" : `shared/${id}`;
}

/** The name of a writer's register. */
export function registerName(writer: string): string {
  return `register/${writer}`;
}

/** The name of the document that holds one page of a writer's lane. */
export function laneName(writer: string, page: PageName): string {
  return `lane/${writer}/${formatPageName(page)}`;
}

/** Reads a document's name; undefined where the grammar has no such name. */
export function readDocumentName(name: string): DocumentName | undefined {
  const [kind, second, third, ...rest] = name.split("/");
  if (rest.length > 0) return undefined;
  if (kind === "shared") {
    return third === undefined && (second === undefined || isId(second)) ? { kind, name } : undefined;
  }
  const owner = second === undefined ? undefined : parseWriterId(second);
  if (!owner || second === undefined) return undefined;
  if (kind === "register") {
    return third === undefined ? { kind, name, writer: second, principal: owner.principal } : undefined;
  }
  if (kind === "lane" && third !== undefined) {
    const page = parsePageName(third);
    return page && { kind, name, writer: second, principal: owner.principal, page };
  }
  return undefined;
}

/**
 * Reads a document's name.
 *
 * @throws `protocol/unknown-document` where the grammar has no such name.
 */
export function parseDocumentName(name: string): DocumentName {
  const parsed = readDocumentName(name);
  if (parsed) return parsed;
  throw new FlockError(
    "protocol/unknown-document",
    `No document can be named ${JSON.stringify(name.slice(0, 200))}: use shared, shared/ID, register/WRITER or lane/WRITER/PAGE.`,
  );
}
