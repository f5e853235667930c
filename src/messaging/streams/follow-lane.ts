import { FlockError } from "../../base/index.ts";
import type { Documents, Entry, LoggedPage } from "../../crdt/index.ts";
import { agentOf, comparePages, formatPageName, type PageName } from "../../protocol/index.ts";

/** A place in a lane: what was read of which page. */
export interface LanePlace {
  readonly page: PageName;
  /** How many of its entries were read. */
  readonly index: number;
  /** Whether that is all of it. */
  readonly isWhole: boolean;
}

export interface FollowOptions {
  wants(entry: Entry): boolean;
  signal: AbortSignal;
  /** Called when all that there is was read, before more is waited for. What it throws ends the reading. */
  onIdle(): void;
}

/**
 * The entries of a lane behind a place, as they are pulled: of pages that are live from the log, of those that are
 * sealed from history, and then what comes. It holds nothing back, neither the pages from being sealed nor the writer.
 *
 * @throws what reading history throws, and the signal's reason
 */
export async function* followLane(
  documents: Pick<Documents, "log" | "history" | "registerChanged">,
  writer: string,
  from: LanePlace,
  { wants, signal, onIdle }: FollowOptions,
): AsyncGenerator<Entry, never, undefined> {
  const { log, history } = documents;
  let { page: at, index, isWhole } = from;

  function find(holds: (page: LoggedPage) => boolean): LoggedPage | undefined {
    return log.pages(writer).find(holds);
  }

  /** Where history goes on; undefined where nothing further is sealed. */
  function sealedFrom(): number | undefined {
    const marks = history.marks(writer);
    if (!marks) return undefined;
    const isRead = isWhole || (marks.head.page === formatPageName(at) && marks.head.length === index);
    const number = isRead ? at.number + 1 : at.number;
    return number < marks.low ? number : undefined;
  }

  for (;;) {
    signal.throwIfAborted();
    const live = isWhole ? undefined : find(({ name }) => comparePages(name, at) === 0);
    // It stays readable where it is let go of meanwhile, and may grow.
    while (live && index < live.entries.length) {
      const entry = live.entries[index++] as Entry;
      if (wants(entry)) yield entry;
    }
    const next = find(({ name, previous }) => {
      // A lane is its owner's, who may have written a circle.
      const isLater = comparePages(name, at) > 0;
      return isLater && previous?.length === index && comparePages(previous.page, at) === 0;
    });
    if (next) {
      at = next.name;
      index = 0;
      isWhole = false;
      continue;
    }
    const number = sealedFrom();
    let hasRead = false;
    if (number !== undefined) {
      for await (const page of history.pagesFrom(writer, { from: number, signal })) {
        const isBegun = page.name.number === at.number;
        if (isBegun && page.name.client !== at.client) throw notOfChain(writer, at);
        const begin = isBegun ? index : 0;
        at = page.name;
        index = page.entries.length;
        isWhole = true;
        hasRead = true;
        for (const entry of page.entries.slice(begin)) if (wants(entry)) yield entry;
      }
    }
    if (hasRead) continue;
    onIdle();
    await nextChange(documents, writer, signal);
  }
}

/** A page whose number the chain gives to another is a clone's, which nobody seals. */
function notOfChain(writer: string, page: PageName): FlockError {
  const name = formatPageName(page);
  return new FlockError("crdt/history-lost", `The page ${name} of ${writer} is not of its chain.`, {
    details: { writer, page: name },
  });
}

/** Resolves when something came of the writer's agent. */
function nextChange(
  { log, registerChanged }: Pick<Documents, "log" | "registerChanged">,
  writer: string,
  signal: AbortSignal,
): Promise<void> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const agent = agentOf(writer);
    const wake = (from: string | undefined): void => {
      if (from !== undefined && agentOf(from) === agent) end(resolve);
    };
    const abort = (): void => end(() => reject(signal.reason));
    const stops = [
      log.added.on(([first]) => wake(first?.writer)),
      registerChanged.on(wake),
      () => signal.removeEventListener("abort", abort),
    ];
    function end(settle: () => void): void {
      for (const stop of stops) stop();
      settle();
    }
    signal.addEventListener("abort", abort);
  });
}
