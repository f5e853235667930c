import { createInMemoryStore, type LocalReferenceStore } from "../../refstore/index.ts";
import type { Disk } from "./disk.ts";
import type { TabChannels } from "./tab-channels.ts";

/** What the tabs of one browser share, and what outlives them. */
export interface SimulatedBrowser {
  readonly disk: Disk;
  readonly tabChannels: TabChannels;
  /** Opens the store of references of a name; closing it keeps what it holds. */
  openReferences(name: string): Promise<LocalReferenceStore>;
}

/** Creates a browser that was never used. */
export function createSimulatedBrowser(disk: Disk, tabChannels: TabChannels): SimulatedBrowser {
  const references = new Map<string, LocalReferenceStore>();
  return {
    disk,
    tabChannels,
    async openReferences(name) {
      const store = references.get(name) ?? createInMemoryStore();
      references.set(name, store);
      return { ...store, close: async () => {} };
    },
  };
}
