import fc from "fast-check";
import { expect, test } from "vitest";
import { FlockError } from "../../src/base/index.ts";
import { createLog, type LogLevel, mintToken } from "../../src/edge/index.ts";
import { createManualClock } from "./room-harness.ts";

function logging(level: Parameters<typeof createLog>[0]["level"] = "info") {
  const lines: { level: LogLevel; line: string }[] = [];
  const log = createLog({
    level,
    clock: createManualClock(0),
    sink: { write: (level, line) => void lines.push({ level, line }) },
  });
  return { log, lines, read: () => lines.map(({ line }) => JSON.parse(line)) };
}

test("LOG-1: an event is one line of JSON, with the fields of its log", () => {
  const { log, lines, read } = logging();
  const room = log.with({ room: "team", requestId: "r-1" });
  room.write("warn", "socket closed", { principal: "alice", code: "edge/rate-limited", closeCode: 4529 });
  expect(read()).toEqual([
    {
      time: "1970-01-01T00:00:00.000Z",
      level: "warn",
      event: "socket closed",
      room: "team",
      requestId: "r-1",
      principal: "alice",
      code: "edge/rate-limited",
      closeCode: 4529,
    },
  ]);
  expect(lines[0]?.line).not.toContain("\n");
});

test("LOG-1: what is below the level is not written", () => {
  const { log, lines } = logging("warn");
  for (const level of ["debug", "info", "warn", "error"] as const) log.write(level, "event");
  expect(lines.map(({ level }) => level)).toEqual(["warn", "error"]);
  const { log: none, lines: unwritten } = logging("silent");
  none.write("error", "event");
  expect(unwritten).toEqual([]);
});

test("LOG-2: fields that the log does not know are not written, whatever they hold", () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.anything()), (fields) => {
      const { log, read } = logging();
      const secret = "the-secret-text-of-a-document";
      log.write("info", "event", {
        ...fields,
        update: secret,
        text: secret,
        body: { text: secret },
        count: secret,
      });
      expect(JSON.stringify(read())).not.toContain(secret);
    }),
  );
});

test("LOG-2: control: a field that it knows is written", () => {
  const { log, read } = logging();
  log.write("info", "event", { document: "shared/notes" });
  expect(read()[0].document).toBe("shared/notes");
});

test("LOG-2: no token gets into a line, under whatever name", async () => {
  const token = await mintToken({ secret: "s".repeat(32), room: "team", subject: "alice", scopes: ["read"] });
  const { log, lines } = logging();
  const fields = {
    principal: token,
    requestId: `Bearer ${token}`,
    tokenId: `bearer.${token}`,
    route: `/v1?t=${token}`,
  };
  log.with(fields).write("error", token, { ...fields, cause: new Error(token) });
  log.write("error", `failed with ${token}`, { cause: token });
  expect(lines).toHaveLength(2);
  const parts = token.split(".");
  for (const { line } of lines) for (const part of parts) expect(line).not.toContain(part);
});

test("LOG-3: of an error come its name, code and frames, and never its message", () => {
  const { log, read, lines } = logging();
  const secret = "alice wrote this";
  const cause = new FlockError("edge/unavailable", `No JSON: ${secret}\n    at ${secret} (file.ts:1:1)`, {
    cause: new Error(secret),
  });
  log.write("error", "request failed", { cause });
  expect(read()[0]).toMatchObject({ error: "FlockError", code: "edge/unavailable" });
  expect(read()[0].stack[0]).toMatch(/^at /);
  expect(lines[0]?.line).not.toContain(secret);
});

test("LOG-3: a long text is cut", () => {
  const { log, read } = logging();
  log.write("info", "event", { route: "/".repeat(5_000) });
  expect(read()[0].route).toHaveLength(200);
});
