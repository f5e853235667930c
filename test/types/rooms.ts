import {
  type Agent,
  type ErrorCode,
  FlockError,
  type Json,
  type ListHandle,
  list,
  type MapHandle,
  map,
  openRoom,
  type ReceivedMessage,
  type StateOf,
  type TableHandle,
  type TextHandle,
  table,
  text,
  type Write,
  type WriteStage,
} from "flockstate";
import * as z from "zod";
import * as mini from "zod/mini";

/** Fails to compile where the two types differ. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : never;
const same = <A, B>(_: Same<A, B>): void => undefined;

const finding = z.object({ id: z.string(), score: z.number(), note: z.optional(z.string()) });
type Finding = z.infer<typeof finding>;
const vote = mini.object({ voter: mini.string(), yes: mini.boolean() });

const state = {
  notes: text(),
  board: map(),
  scores: map(z.number()),
  log: list(),
  names: list<string>(),
  findings: table(finding, { key: "id" }),
  votes: table(vote, { key: "voter" }),
};

export async function mustCompile(): Promise<void> {
  const room = await openRoom("team", { relay: "http://localhost:8787", state });
  same<typeof room.state, StateOf<typeof state>>(true);
  same<typeof room.state.notes, TextHandle>(true);
  same<typeof room.state.board, MapHandle<Json>>(true);
  same<typeof room.state.scores, MapHandle<number>>(true);
  same<typeof room.state.log, ListHandle<Json>>(true);
  same<typeof room.state.names, ListHandle<string>>(true);
  same<typeof room.state.findings, TableHandle<Finding>>(true);
  const write: Write = room.state.findings.set({ id: "a", score: 1 });
  await write.settled("relayed", { signal: AbortSignal.timeout(1) });
  const scores = room.state.findings.select((rows) => rows.map(({ score }) => score));
  same<ReturnType<typeof scores.get>, number[]>(true);
  const yes: boolean | undefined = room.state.votes.row("ann")?.yes;
  const agent: Agent = await room.agent("planner", { capabilities: ["plan"] as const });
  const { id } = await agent.send({ to: "critic", type: "QUERY", content: { yes: yes ?? null } });
  await agent.send({
    topic: "news",
    type: "own_name",
    content: new Uint8Array(1),
    parent: id,
    confidence: 0.5,
  });
  const stop = agent.onMessage(
    { type: "QUERY", where: ({ from }) => from !== "me" },
    async (message, { attempt, signal }) => {
      same<typeof message, ReceivedMessage>(true);
      same<typeof attempt, number>(true);
      same<typeof signal, AbortSignal>(true);
      same<typeof message.content, Json | Uint8Array>(true);
    },
    { consumer: "mine" },
  );
  stop();
  const empty = await openRoom("team");
  same<keyof typeof empty.state, never>(true);
}

export async function mustNotCompile(): Promise<void> {
  // @ts-expect-error a key is a field of the row
  table(finding, { key: "missing" });
  // @ts-expect-error a key is a string
  table(finding, { key: "score" });
  // @ts-expect-error a key is always there
  table(finding, { key: "note" });
  // @ts-expect-error a table needs a key
  table(finding);

  const room = await openRoom("team", { state });
  // @ts-expect-error the schema has no such name
  room.state.missing;
  // @ts-expect-error a row has all its fields
  room.state.findings.set({ id: "a" });
  // @ts-expect-error a score is a number
  room.state.scores.set("a", "one");
  // @ts-expect-error names are strings
  room.state.names.push(1);
  // @ts-expect-error a date is no JSON
  room.state.board.set("a", new Date());
  // @ts-expect-error snapshots are read-only
  room.state.names.get().push("a");
  // @ts-expect-error snapshots are read-only
  room.state.scores.get()["a"] = 1;
  // @ts-expect-error handles are read-only
  room.state.notes = text() as never;
  // @ts-expect-error ids are strings
  await openRoom(7);
  // @ts-expect-error state is made of text, map, list and table
  await openRoom("team", { state: { notes: "text" } });

  const agent = await room.agent("planner");
  // @ts-expect-error a message has a type
  await agent.send({ to: "critic", content: 1 });
  // @ts-expect-error a message has content
  await agent.send({ to: "critic", type: "QUERY" });
  // @ts-expect-error a function is no content
  await agent.send({ to: "critic", type: "QUERY", content: () => 1 });
  // @ts-expect-error the sender is the lane's owner
  await agent.send({ to: "critic", type: "QUERY", content: 1, from: "mallory" });
  // @ts-expect-error there is no such stage
  const stage: WriteStage = "read";
  // @ts-expect-error there is no such code
  const code: ErrorCode = "base/unknown";
  // @ts-expect-error an error has a code of the union
  throw new FlockError("oops", `${stage} ${code}`);
}
