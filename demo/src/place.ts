const defaultRoom = "demo";

/** Which room the page's address names: `#room=team-42`; `demo` without one. */
export function readRoom(hash: string): string {
  return new URLSearchParams(hash.replace(/^#/, "")).get("room") || defaultRoom;
}
