import { defaultLaneLimits, type LaneLimits } from "../lanes/lane-limits.ts";
import type { Page } from "../lanes/page.ts";

/** How many pages of a lane, from its oldest, lie beyond the live window: what of it stays as documents. */
export function countBeyondWindow(
  pages: readonly { readonly page: Pick<Page, "length" | "bytes"> }[],
  { liveEntries, liveBytes, livePages }: LaneLimits = defaultLaneLimits,
): number {
  let entries = 0;
  let bytes = 0;
  for (let left = pages.length; left > 0; left--) {
    const newer = pages.length - left;
    if (newer >= livePages || entries >= liveEntries || bytes >= liveBytes) return left;
    const { page } = pages[left - 1] as (typeof pages)[number];
    entries += page.length;
    bytes += page.bytes;
  }
  return 0;
}
