import { createDisk, type Disk, type DiskFaults, soundDisk } from "./disk.ts";
import type { Host } from "./host.ts";
import { createLocks, type Locks } from "./locks.ts";
import type { SimulatedRandom } from "./random.ts";
import { type BrowserReferences, createBrowserReferences } from "./references.ts";
import { createTabChannels, type TabChannelFaults, type TabChannels } from "./tab-channels.ts";
import type { Timeline } from "./timeline.ts";

/** How badly a browser behaves. */
export interface BrowserFaults extends DiskFaults {
  /** The channels between its tabs. */
  tabChannels: TabChannelFaults;
}

/** One browser with its profile: tabs come and go, and its storage stays. */
export interface SimulatedBrowser {
  readonly name: string;
  /** Makes it behave worse, or better, from now on; what is not named stays. */
  impair(faults: Partial<BrowserFaults>): void;
  /** Undoes every `impair`. */
  mend(): void;
  /**
   * Loses everything stored, as a user does who clears the site's data. Tabs that are open go on: transactions under way
   * are aborted, databases are empty, and what shared documents kept open fails.
   */
  wipe(): void;
  /** Kills every tab and loses what was not yet synced: of the last five seconds' transactions a first part stays. */
  losePower(): void;
  /** Copies the profile as it is stored at this moment into a new browser. @throws RangeError where the name is taken */
  clone(name: string): SimulatedBrowser;
}

/** The browser with the side that its tabs use. */
export interface Profile extends SimulatedBrowser {
  readonly disk: Disk;
  readonly locks: Locks;
  readonly tabChannels: TabChannels;
  readonly references: BrowserReferences;
  /** A tab was opened. */
  opened(tab: Host): void;
}

export interface ProfileOptions {
  name: string;
  timeline: Timeline;
  random: SimulatedRandom;
  /** Draws how long a transaction takes, in milliseconds. */
  diskLatencyMs(random: SimulatedRandom): number;
  tabChannels: TabChannelFaults;
  locks: boolean;
  /** Makes the browser that a copy goes into. */
  makeClone(name: string): Profile;
}

/** Creates a browser that was never used. */
export function createProfile(options: ProfileOptions): Profile {
  const { name, timeline, random, diskLatencyMs, makeClone } = options;
  const diskRandom = random.fork("disk");
  const disk = createDisk(timeline, diskRandom, () => diskLatencyMs(diskRandom));
  const channelFaults: TabChannelFaults = { ...options.tabChannels };
  const references = createBrowserReferences(disk.faults);
  let tabs: Host[] = [];

  const note = (what: string): void => timeline.note(`browser ${name}: ${what}`);

  return {
    name,
    disk,
    locks: createLocks(options.locks),
    tabChannels: createTabChannels(timeline, random.fork("tabs"), channelFaults),
    references,
    opened(tab) {
      tabs = [...tabs.filter(({ alive }) => alive), tab];
    },
    impair({ tabChannels, ...diskFaults }) {
      note(`impaired ${JSON.stringify({ ...diskFaults, ...tabChannels })}`);
      Object.assign(disk.faults, diskFaults);
      Object.assign(channelFaults, tabChannels);
    },
    mend() {
      note("mended");
      Object.assign(disk.faults, soundDisk);
      Object.assign(channelFaults, options.tabChannels);
    },
    wipe() {
      note("wiped");
      disk.wipe();
      references.wipe();
    },
    losePower() {
      note("loses power");
      for (const tab of tabs) tab.kill();
      disk.loseUnsynced();
    },
    clone(cloneName) {
      const made = makeClone(cloneName);
      note(`copied to ${cloneName}`);
      made.disk.copyFrom(disk);
      made.references.copyFrom(references);
      return made;
    },
  };
}
