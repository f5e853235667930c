const localNames = new Set(["localhost", "127.0.0.1", "[::1]"]);

/** Tells whether a URL or origin names this machine, on any port. */
export function isLocal(url: string): boolean {
  try {
    return localNames.has(new URL(url).hostname);
  } catch {
    // An origin such as `null` is no URL, and not this machine.
    return false;
  }
}
