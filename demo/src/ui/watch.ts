import type { Undo } from "flockstate";

/** Anything that tells when it changed. */
export interface Watchable {
  subscribe(listener: () => void): Undo;
}

// One picture at 30 a second is smooth; a timer, unlike an animation frame, also runs in pages in the background.
const frameMs = 33;

/** Calls `render` now, and once for all changes that fall into one frame. */
export function watch(sources: readonly Watchable[], render: () => void): Undo {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const schedule = () => {
    timer ??= setTimeout(() => {
      timer = undefined;
      render();
    }, frameMs);
  };
  const undo = sources.map((source) => source.subscribe(schedule));
  render();
  return () => {
    clearTimeout(timer);
    for (const each of undo) each();
  };
}
