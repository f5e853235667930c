import { isId } from "../base/index.ts";

/** What a share link carries. */
export interface ShareLink {
  room: string;
  token: string;
}

/** The address of a page with a room and a token in its fragment, which browsers send to no server. */
export function formatShareLink(page: string | URL, { room, token }: ShareLink): string {
  const link = new URL(page);
  link.hash = new URLSearchParams({ room, token }).toString();
  return link.href;
}

/**
 * Reads the room and the token that a share link carries; undefined where the address is none.
 *
 * @example
 * ```ts
 * const shared = readShareLink(location.href);
 * const room = shared && (await openRoom(shared.room, { relay, token: () => shared.token, state }));
 * ```
 */
export function readShareLink(url: string | URL): ShareLink | undefined {
  const parts = new URLSearchParams(new URL(url).hash.slice(1));
  const [room, token] = [parts.get("room"), parts.get("token")];
  return isId(room) && token ? { room, token } : undefined;
}
