import { isId } from "../base/index.ts";

/** What a share link carries. */
export interface ShareLink {
  room: string;
  /** What the token's `sub` says: whom to open the room for. */
  principal: string;
  token: string;
}

/** The address of a page with a room and a token in its fragment, which browsers send to no server. */
export function formatShareLink(page: string | URL, { room, principal, token }: ShareLink): string {
  const link = new URL(page);
  link.hash = new URLSearchParams({ room, principal, token }).toString();
  return link.href;
}

/**
 * Reads what a share link carries; undefined where the address is none.
 *
 * @example
 * ```ts
 * const page = formatShareLink("https://app.example.com/board", { room: "team-42", principal: "guest", token: "e30.e30.x" });
 * const shared = readShareLink(page);
 * shared?.room; // "team-42"
 * ```
 */
export function readShareLink(url: string | URL): ShareLink | undefined {
  const parts = new URLSearchParams(new URL(url).hash.slice(1));
  const [room, principal, token] = [parts.get("room"), parts.get("principal"), parts.get("token")];
  return isId(room) && principal && token ? { room, principal, token } : undefined;
}
