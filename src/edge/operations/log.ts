import { type Clock, isFlockError } from "../../base/index.ts";

/** How much a line matters; `silent` is past them all. */
export const logLevels = ["debug", "info", "warn", "error", "silent"] as const;
export type LogLevel = Exclude<(typeof logLevels)[number], "silent">;

/** Takes the lines of the log. */
export interface LogSink {
  /** One line of JSON, without its end. */
  write(level: LogLevel, line: string): void;
}

/** Writes to the console, whence Cloudflare's logs and every process manager take it. */
export const consoleSink: LogSink = {
  write(level, line) {
    const write = { debug: console.debug, info: console.log, warn: console.warn, error: console.error };
    write[level](line);
  },
};

/** A structured log: one line of JSON an event. */
export interface Log {
  /**
   * Writes an event. Only fields that the log knows are written, and of an error its name, code and stack frames:
   * messages may repeat what was read, so no content, token or text of a document can get into a line.
   */
  write(level: LogLevel, event: string, fields?: Readonly<Record<string, unknown>>): void;
  /** A log whose lines all have these fields as well. */
  with(fields: Readonly<Record<string, unknown>>): Log;
}

/** Fields of text: names, ids and codes. */
const textFields: ReadonlySet<string> = new Set([
  "requestId",
  "room",
  "principal",
  "tokenId",
  "document",
  "writer",
  "code",
  "method",
  "route",
  "reason",
  "why",
]);
/** Fields of numbers. */
const numberFields: ReadonlySet<string> = new Set([
  "document",
  "status",
  "closeCode",
  "ms",
  "bytes",
  "rows",
  "documents",
  "updates",
  "sockets",
  "sequence",
  "count",
  "client",
  "clock",
]);
/** No name, id or code is longer. */
const maxTextLength = 200;
const maxFrames = 10;
/** Three parts of base64url, as a token of ours has; it is no id, whoever passes it as one. */
const tokenLike = /[\w-]{8,}\.[\w-]{8,}\.[\w-]{8,}/;
const event = /^[a-z0-9][a-z0-9 -]{0,63}$/;

/** Creates a log that writes lines of at least this level. */
export function createLog({
  sink = consoleSink,
  level: least = "info",
  clock,
}: {
  sink?: LogSink;
  level?: (typeof logLevels)[number];
  clock: Pick<Clock, "now">;
}): Log {
  function create(common: Readonly<Record<string, unknown>>): Log {
    return {
      write(level, name, fields = {}) {
        if (logLevels.indexOf(level) < logLevels.indexOf(least)) return;
        const time = new Date(clock.now()).toISOString();
        const line = { time, level, event: event.test(name) ? name : "unnamed", ...common, ...known(fields) };
        sink.write(level, JSON.stringify(line));
      },
      with: (fields) => create({ ...common, ...known(fields) }),
    };
  }
  return create({});
}

function known(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const kept: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(fields)) {
    if (textFields.has(name) && typeof value === "string") kept[name] = printable(value);
    else if (numberFields.has(name) && typeof value === "number") kept[name] = value;
    else if (name === "cause") Object.assign(kept, describeError(value));
  }
  return kept;
}

function printable(text: string): string {
  return tokenLike.test(text) ? "withheld" : text.slice(0, maxTextLength);
}

function describeError(cause: unknown): Record<string, unknown> {
  if (!(cause instanceof Error)) return { error: typeof cause };
  const stack = framesOf(cause);
  return {
    error: cause.name,
    ...(isFlockError(cause) && { code: cause.code }),
    ...(stack.length > 0 && { stack }),
  };
}

/** The frames of a stack: what follows the message that it begins with, which may look like frames itself. */
function framesOf({ message, stack = "" }: Error): string[] {
  const begin = stack.indexOf(message);
  if (begin < 0) return [];
  return stack
    .slice(begin + message.length)
    .split("\n")
    .filter((line) => /^\s+at /.test(line))
    .slice(0, maxFrames)
    .map((line) => line.trim());
}
