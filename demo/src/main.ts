import { type Agent, isFlockError, openRoom } from "flockstate";
import { type Flock, startFlock } from "./flock/flock.ts";
import { createSuffix, isSuffix } from "./flock/names.ts";
import { createPace } from "./flock/pace.ts";
import { browserRandom } from "./flock/random.ts";
import { type FlockRoom, flockState } from "./flock/state.ts";
import { readRoom } from "./place.ts";
import { mountApp } from "./ui/app.ts";
import { h } from "./ui/dom.ts";
import { readSetting, writeSetting } from "./ui/storage.ts";

declare global {
  interface Window {
    /** For the curious: the room and this browser's agents, to be played with in the console. */
    flock?: { room: FlockRoom; agents: Record<"planner" | "analyst" | "writer", Agent> };
  }
}

/** Every browser's agents have names of their own: agents of one name would be one consumer. */
function ownSuffix(): string {
  const stored = readSetting("suffix");
  if (isSuffix(stored)) return stored;
  const suffix = createSuffix(browserRandom);
  writeSetting("suffix", suffix);
  return suffix;
}

async function start(root: HTMLElement): Promise<void> {
  const suffix = ownSuffix();
  const pace = createPace(new URLSearchParams(location.search).get("pace"));
  const room = await openRoom(readRoom(location.hash), { relay: location.origin, state: flockState });
  const flock: Flock = await startFlock(room, suffix, pace);
  window.flock = { room, agents: flock.agents };
  mountApp(root, { room, flock, suffix, pace });
}

function showFailure(root: HTMLElement, problem: unknown): void {
  const code = isFlockError(problem) ? problem.code : "demo/failed";
  const message = problem instanceof Error ? problem.message : String(problem);
  root.replaceChildren(
    h(
      "main",
      { class: "failure" },
      h("h1", {}, "The room did not open."),
      h("code", {}, code),
      h("p", {}, message),
    ),
  );
}

// The room is chosen at the start; another hash is another room.
addEventListener("hashchange", () => location.reload());

const root = document.querySelector<HTMLElement>("#app");
if (root !== null) start(root).catch((problem: unknown) => showFailure(root, problem));
