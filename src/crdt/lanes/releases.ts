import type { Clock, Emitter, Undo } from "../../base/index.ts";
import { comparePages, type LaneMarks, type PageName } from "../../protocol/index.ts";
import type { Chains } from "../history/chains.ts";
import { headOf } from "../history/history.ts";
import type { ChainLink } from "../history/sealed-page.ts";
import type { EntryLog } from "./entry-log.ts";
import type { PageStanding, ReceivedDocuments } from "./received.ts";

/** Lets go of what other writers have sealed, once nobody here holds it: dropped on proof, kept on doubt. */
export interface Releases {
  standingOf(writer: string, page: PageName): PageStanding;
  /** Something of a page was taken up: one that may be sealed is looked into. */
  arrived(writer: string, page: PageName): void;
  close(): void;
}

export interface ReleasesOptions {
  log: EntryLog;
  clock: Clock;
  chains: Chains;
  received: ReceivedDocuments;
  registerChanged: Emitter<string>;
  writers: Iterable<string>;
  marksOf(writer: string): LaneMarks | undefined;
  /** Whether a writer that is open here has the page live: then it lets go of it by itself. */
  isOwn(writer: string, page: PageName): boolean;
  /** There is something to store. */
  onReleased(): void;
}

/** Views are opened shortly after their room; until then nobody can say what is held. */
const settleMs = 10_000;
/** What was held, or could not be proven, is looked at again after this. */
const againMs = 60_000;

/** Creates the releases over what was loaded. */
export function createReleases(options: ReleasesOptions): Releases {
  const { log, clock, chains, received, marksOf, isOwn } = options;
  /** The highest marks of this session: a register that goes back brings no page back. */
  const highest = new Map<string, LaneMarks>();
  const busy = new Set<string>();
  const again = new Set<string>();
  const left = new Set<string>();
  const lifetime = new AbortController();
  let isSettled = false;
  let cancelAgain: Undo | undefined;

  function learn(writer: string): void {
    const marks = marksOf(writer);
    const known = highest.get(writer);
    if (!marks || marks.low < (known?.low ?? 0)) return;
    if (marks.low === known?.low && marks.first === known.first) return;
    highest.set(writer, marks);
    check(writer);
  }

  /** Looks at a lane's pages; what takes reading goes on by itself. */
  function check(writer: string): void {
    if (busy.has(writer)) {
      again.add(writer);
      return;
    }
    busy.add(writer);
    void pass(writer).finally(() => {
      busy.delete(writer);
      if (again.delete(writer)) check(writer);
    });
  }

  async function pass(writer: string): Promise<void> {
    const marks = highest.get(writer);
    const head = marks && headOf(marks);
    if (!head) return;
    const sealed: PageName[] = [];
    const failed = new Map<string, unknown>();
    // From the newest back, so that each page here tells of the one before it.
    for (const page of received.pages(writer).reverse()) {
      if (page.number >= marks.low) continue;
      const isNamed = await isInChain(writer, head, page, failed);
      if (lifetime.signal.aborted) return;
      if (isNamed) sealed.unshift(page);
      else received.show(writer, page);
      // What retention took will never be readable again.
      if (isNamed === undefined && page.number >= marks.first) lookAgain(writer);
    }
    let released = 0;
    for (const page of sealed) {
      const isShown = log.pages(writer).some(({ name }) => comparePages(name, page) === 0);
      if (isShown && isOwn(writer, page)) continue;
      if (isShown && (!isSettled || log.isHeld(writer, page))) {
        lookAgain(writer);
        continue;
      }
      received.release(writer, page);
      log.release(writer, page);
      released++;
    }
    if (released > 0) options.onReleased();
  }

  /** Undefined where it can't be told now. */
  async function isInChain(
    writer: string,
    head: ChainLink,
    page: PageName,
    failed: Map<string, unknown>,
  ): Promise<boolean | undefined> {
    try {
      const found = await chains.seek(writer, head, page.number, { signal: lifetime.signal, failed });
      if (found === "lost") return undefined;
      return found !== "absent" && comparePages(found.page, page) === 0;
    } catch {
      // Offline, past retention or a lie: no proof, so the page stays.
      return undefined;
    }
  }

  function lookAgain(writer: string): void {
    left.add(writer);
    if (isSettled) cancelAgain ??= clock.after(againMs, checkLeft);
  }

  function checkLeft(): void {
    cancelAgain = undefined;
    const lanes = [...left];
    left.clear();
    for (const writer of lanes) check(writer);
  }

  const stops = [
    options.registerChanged.on(learn),
    // An own writer lets go of its page: a copy that was loaded before it opened goes with it.
    log.released.on(({ writer, page }) => {
      if (received.release(writer, page.name)) options.onReleased();
    }),
    clock.after(settleMs, () => {
      isSettled = true;
      checkLeft();
    }),
    () => cancelAgain?.(),
  ];
  for (const writer of options.writers) learn(writer);

  return {
    standingOf(writer, page) {
      const marks = highest.get(writer);
      const head = marks && page.number < marks.low ? headOf(marks) : undefined;
      if (!head) return "live";
      const found = chains.seekKnown(writer, head, page.number);
      if (found === "unknown") return "unknown";
      return typeof found !== "string" && comparePages(found.page, page) === 0 ? "sealed" : "live";
    },
    arrived(writer, { number }) {
      if (number < (highest.get(writer)?.low ?? 0)) check(writer);
    },
    close() {
      lifetime.abort();
      for (const stop of stops) stop();
    },
  };
}
