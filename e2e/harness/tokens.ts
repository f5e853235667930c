import { type Agent, isFlockError, type StreamWriter } from "flockstate";
import type { HarnessRoom } from "./state.ts";

/** How far a reader of a stream is. */
export interface ReadTokens {
  /** Everything that was read, before this page was reloaded too. */
  readonly text: string;
  /** Pieces that did not begin where the one before ended. */
  readonly misplaced: number;
  /** `reading`, `ended`, or the code of the failure. */
  readonly state: string;
}

/** A stream of tokens that this page writes, and one that it reads. */
export interface Tokens {
  /** Opens a stream; gives its id. */
  open(agent: Agent): Promise<string>;
  /** Writes so many tokens on, at the pace of a model; gives all that was written so far. */
  write(count: number): Promise<string>;
  end(): Promise<void>;
  /** Reads a stream on from where this tab was with it, be it before a reload, or from elsewhere. */
  read(room: HarnessRoom, id: string, from?: number): void;
  readonly reading: ReadTokens;
}

/** Words that a model might say; the emoji are of two, four and seven code units, and so are parted by tokens of three. */
const said = "The sun 🌞 rises, nobody is surprised 🤷‍♀️, and 👩‍💻 go on. ";
const tokenLength = 3;
const tokenMs = 4;

/** Creates the tokens of a page. */
export function createTokens(): Tokens {
  let stream: StreamWriter | undefined;
  let written = 0;
  let misplaced = 0;
  let state = "reading";
  let key = "";

  const textTo = (length: number): string => said.repeat(Math.ceil(length / said.length)).slice(0, length);
  const textRead = (): string => sessionStorage.getItem(key) ?? "";

  async function readAll(room: HarnessRoom, id: string, from: number): Promise<void> {
    for await (const piece of room.readStream(id, { from })) {
      if (!("text" in piece)) continue;
      const text = textRead();
      if (piece.at !== text.length) misplaced++;
      sessionStorage.setItem(key, text + piece.text);
    }
  }

  function opened(): StreamWriter {
    if (!stream) throw new Error("This page has not opened a stream.");
    return stream;
  }

  return {
    async open(agent) {
      stream = await agent.openStream({ topic: "drafts", type: "DRAFT" });
      return stream.id;
    },
    async write(count) {
      const from = written;
      written += count * tokenLength;
      const text = textTo(written);
      for (let at = from; at < written; at += tokenLength) {
        await opened().write(text.slice(at, at + tokenLength));
        await new Promise((resolve) => setTimeout(resolve, tokenMs));
      }
      return text;
    },
    async end() {
      await opened().end();
    },
    read(room, id, from) {
      key = id;
      state = "reading";
      readAll(room, id, from ?? textRead().length).then(
        () => {
          state = "ended";
        },
        (failure: unknown) => {
          state = isFlockError(failure) ? failure.code : String(failure);
        },
      );
    },
    get reading() {
      return { text: textRead(), misplaced, state };
    },
  };
}
