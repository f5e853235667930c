import { maxPageBytes, maxPageEntries } from "../../protocol/index.ts";
import type { Page } from "../page.ts";

/** What of a lane stays as documents: a page lies beyond once the newer ones together are as large, or as many. */
export const liveWindow = { entries: maxPageEntries, bytes: maxPageBytes, pages: 64 };

/** How many pages of a lane, from its oldest, lie beyond the live window. */
export function countBeyondWindow(
  pages: readonly { readonly page: Pick<Page, "length" | "bytes"> }[],
): number {
  let entries = 0;
  let bytes = 0;
  for (let left = pages.length; left > 0; left--) {
    const newer = pages.length - left;
    if (newer >= liveWindow.pages || entries >= liveWindow.entries || bytes >= liveWindow.bytes) return left;
    const { page } = pages[left - 1] as (typeof pages)[number];
    entries += page.length;
    bytes += page.bytes;
  }
  return 0;
}
