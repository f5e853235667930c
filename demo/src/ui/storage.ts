/** Reads a small setting of this browser; undefined where there is none or storage is refused. */
export function readSetting(key: string): string | undefined {
  try {
    return localStorage.getItem(`flockstate.demo.${key}`) ?? undefined;
  } catch {
    // Refused storage only means that the setting does not outlive the page.
    return undefined;
  }
}

/** Keeps a small setting in this browser where it can. */
export function writeSetting(key: string, value: string): void {
  try {
    localStorage.setItem(`flockstate.demo.${key}`, value);
  } catch {
    // As above: the page works without it.
  }
}
