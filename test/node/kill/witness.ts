import { map, openRoom, type Persistence } from "../../../src/index.ts";
import { createNodePlatform, type SqliteClass } from "../../../src/node/index.ts";
import type { Said } from "./child-process.ts";

/** Looks at a directory between the lives of its writers, and remembers all that it saw. */
export interface Witness {
  /** Opens the room as the next life will; returns what is broken. */
  examine(said: readonly Said[]): Promise<string[]>;
  /** How many promises were found kept. */
  readonly kept: number;
}

export interface WitnessOptions {
  Sqlite: SqliteClass;
  directory: string;
  room: string;
  /** How the directory is seen; for tests of the witness itself. */
  through?: (persistence: Persistence) => Persistence;
}

export function createWitness({
  Sqlite,
  directory,
  room: id,
  through = (as) => as,
}: WitnessOptions): Witness {
  /** Contents by entry, and clients by numbered page: neither ever changes. */
  const contents = new Map<string, string>();
  const clients = new Map<string, string>();
  const promised: Said[] = [];
  let writer: string | undefined;
  let kept = 0;

  return {
    get kept() {
      return kept;
    },
    async examine(said) {
      const broken: string[] = [];
      promised.push(...said);
      const platform = createNodePlatform({ directory, sqlite: Sqlite });
      const room = await openRoom(id, {
        platform: { ...platform, persistence: through(platform.persistence) },
        state: { kept: map<string>() },
      });
      try {
        const agent = await room.agent("worker");
        for (const each of said) {
          if ("problem" in each) broken.push(`the child met ${each.problem}`);
          if ("writer" in each) writer ??= each.writer;
        }
        writer ??= agent.writer;
        if (agent.writer !== writer) broken.push(`the writer ${writer} became ${agent.writer}`);

        const found = new Map<string, string>();
        for (const message of room.messages.get()) {
          const content = String(message.content);
          found.set(message.id, content);
          const before = contents.get(message.id);
          if (before !== undefined && before !== content)
            broken.push(`${message.id} was ${before} and is ${content}`);
          contents.set(message.id, content);
          const [owner, page = ""] = message.id.split("/");
          const [number, client = ""] = page.split("-");
          const numbered = `${owner}/${number}`;
          if ((clients.get(numbered) ?? client) !== client)
            broken.push(`the page ${numbered} was begun twice`);
          clients.set(numbered, client);
        }
        for (const id of contents.keys()) if (!found.has(id)) broken.push(`${id} was seen and is gone`);
        kept = 0;
        for (const each of promised) {
          if ("message" in each && found.get(each.message) !== each.content)
            broken.push(`${each.message} was local and is lost`);
          if ("key" in each && room.state.kept.get()[each.key] !== each.key)
            broken.push(`the key ${each.key} was local and is lost`);
          if ("reference" in each && !(await room.refs.has(each.reference)))
            broken.push(`the reference ${each.reference} is lost`);
          kept++;
        }
      } finally {
        await room.close();
      }
      return broken;
    },
  };
}
