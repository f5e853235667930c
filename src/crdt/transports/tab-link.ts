import * as z from "zod/mini";
import type { Clock, Undo } from "../../base/index.ts";
import { type Presence, presenceSchema } from "../../protocol/index.ts";
import type { OpenTabChannel } from "./port.ts";

const bytes = z.custom<Uint8Array>((value) => value instanceof Uint8Array);
const session = z.string().check(z.regex(/^[A-Za-z0-9_-]{11}$/));
const documentName = z.string().check(z.maxLength(400));

// A discriminated union, and tuples, would add a kilobyte to every page.
const tabMessageSchema = z.union([
  /** What a tab has: others answer with what it lacks, and where `asks`, with their own. */
  z.object({
    type: z.literal("have"),
    from: session,
    asks: z.optional(z.literal(true)),
    /** State vectors by name. */
    documents: z.record(documentName, bytes),
  }),
  z.object({
    type: z.literal("update"),
    from: session,
    to: z.optional(session),
    name: documentName,
    update: bytes,
  }),
  /** The answer to `have` is complete; `caughtUp` where this tab itself was told everything. */
  z.object({
    type: z.literal("answered"),
    from: session,
    to: session,
    caughtUp: z.optional(z.boolean()),
  }),
  z.object({ type: z.literal("presence"), from: session, presence: presenceSchema }),
  z.object({ type: z.literal("signal"), from: session, to: session, bytes }),
  /** Asks a tab whether it is still there: any word of it answers. */
  z.object({ type: z.literal("probe"), from: session, to: session }),
  z.object({ type: z.literal("bye"), from: session }),
]);

type TabMessage = z.infer<typeof tabMessageSchema>;

/** What the link asks of its room, and tells it. */
export interface TabLinkEvents {
  /** Names and state vectors of what this tab has. */
  have(): [name: string, stateVector: Uint8Array][];
  /** What a tab with these documents lacks. */
  lacks(documents: ReadonlyMap<string, Uint8Array>): Iterable<[name: string, update: Uint8Array]>;
  received(name: string, update: Uint8Array): void;
  presence(presence: Presence): void;
  signalled(from: string, bytes: Uint8Array): void;
  left(session: string): void;
  own(): Presence;
  /** A tab has told all that this one lacked, and whether it has caught up itself. */
  answered(isCaughtUp: boolean): void;
  isCaughtUp(): boolean;
}

/** The other tabs of this principal in this browser. */
export interface TabLink {
  /** Tells what was written and stored here. */
  publish(name: string, update: Uint8Array): void;
  announce(presence: Presence): void;
  /** Signals to the tab of a session. */
  signal(to: string, bytes: Uint8Array): void;
  /** Asks the other tabs for what is missing here, shortly; a tab that slept has missed what was told meanwhile. */
  ask(): void;
  /** Says goodbye, as a page that may never run again must; a later word takes it back. */
  depart(): void;
  close(): void;
}

export interface TabLinkOptions {
  name: string;
  session: string;
  clock: Clock;
  openChannel: OpenTabChannel;
  events: TabLinkEvents;
}

/** A tab says that it lives this often. Browsers let a hidden tab's timers run once a minute, but its messages at once ... */
const beatMs = 5_000;
/** ... so one that was silent is probed, at so many beats, and counts as gone where it does not answer. */
const probes = 2;
/** A tab that has said something since the last beat. */
const heard = -1;
const askAfterMs = 100;

/** Opens the link and asks the other tabs for what this one lacks. */
export function openTabLink({ name, session: own, clock, openChannel, events }: TabLinkOptions): TabLink {
  /** The tabs, each with the beats at which it had been silent since the beat before. */
  const silent = new Map<string, number>();
  let closed = false;
  let cancel: Undo = () => {};
  let cancelAsk: Undo | undefined;
  const channel = openChannel(name, (data) => {
    const parsed = z.safeParse(tabMessageSchema, data);
    // A tab that runs another version of the application may say things that this one does not know.
    if (parsed.success && parsed.data.from !== own && !closed) receive(parsed.data);
  });

  function have(): Record<string, Uint8Array> {
    return Object.fromEntries(events.have());
  }

  function post(message: TabMessage): void {
    if (!closed) channel.post(message);
  }

  function receive(message: TabMessage): void {
    if (message.type === "bye") {
      silent.delete(message.from);
      events.left(message.from);
      return;
    }
    silent.set(message.from, heard);
    switch (message.type) {
      case "have":
        answer(message.from, new Map(Object.entries(message.documents)));
        if (message.asks) post({ type: "have", from: own, documents: have() });
        post({ type: "presence", from: own, presence: events.own() });
        break;
      case "update":
        if (message.to === undefined || message.to === own) events.received(message.name, message.update);
        break;
      case "answered":
        if (message.to === own) events.answered(message.caughtUp ?? false);
        break;
      case "presence":
        events.presence(message.presence);
        break;
      case "signal":
        if (message.to === own) events.signalled(message.from, message.bytes);
        break;
      case "probe":
        if (message.to === own) post({ type: "presence", from: own, presence: events.own() });
        break;
    }
  }

  function answer(to: string, documents: ReadonlyMap<string, Uint8Array>): void {
    for (const [document, update] of events.lacks(documents)) {
      post({ type: "update", from: own, to, name: document, update });
    }
    post({ type: "answered", from: own, to, caughtUp: events.isCaughtUp() });
  }

  function beat(): void {
    cancel = clock.after(beatMs, () => {
      post({ type: "presence", from: own, presence: events.own() });
      for (const [session, beats] of silent) {
        silent.set(session, beats + 1);
        if (beats === heard) continue;
        if (beats < probes) post({ type: "probe", from: own, to: session });
        else {
          silent.delete(session);
          events.left(session);
        }
      }
      beat();
    });
  }

  post({ type: "have", from: own, asks: true, documents: have() });
  beat();

  return {
    publish: (document, update) => post({ type: "update", from: own, name: document, update }),
    announce: (presence) => post({ type: "presence", from: own, presence }),
    signal: (to, signal) => post({ type: "signal", from: own, to, bytes: signal }),
    ask() {
      cancelAsk ??= clock.after(askAfterMs, () => {
        cancelAsk = undefined;
        post({ type: "have", from: own, documents: have() });
      });
    },
    depart: () => post({ type: "bye", from: own }),
    close() {
      post({ type: "bye", from: own });
      closed = true;
      cancel();
      cancelAsk?.();
      channel.close();
    },
  };
}
