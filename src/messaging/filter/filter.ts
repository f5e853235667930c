import * as z from "zod/mini";
import { FlockError, isId } from "../../base/index.ts";
import type { Entry } from "../../crdt/index.ts";
import {
  agentOf,
  type ConsumerRecord,
  everyone,
  type JsonObject,
  maxConsumerNameLength,
  messageBodySchema,
  messageKind,
  serviceTypePrefix,
} from "../../protocol/index.ts";
import type { Message } from "../message/message.ts";
import { compileMatcher, faultOf, type Matcher } from "./matcher.ts";
import { compileTopicPattern, isTopicPattern } from "./topic-pattern.ts";

/** The name of a type, or what defines one. */
export type TypeName = string | { readonly type: string };

/** Which messages a handler takes. */
export interface MessageFilter {
  /** Only of this type, or of one of these. Default every type, but no calls of services, `service.<name>`. */
  type?: TypeName | readonly TypeName[];
  /**
   * Messages to topics of this pattern instead of those that name the agent: `*` stands for one word, `>` at the end for
   * one or more. What the agent says itself is left out, but in a group.
   */
  topic?: string;
  /** Conditions on fields that others know of too, so that they can tell whom a message is for; needs a `consumer` name. */
  match?: Matcher;
  /** A further condition, in this process only; needs a `consumer` name, since a function has none that lasts. */
  where?: (message: Message) => boolean;
  /** Replies to the agent's requests, and nothing else; without it, none. */
  replies?: boolean;
}

/** The declarative part of a filter, as registers have it. */
type Declared = ConsumerRecord["filter"];

/** What of a message says whom it is for. */
export type Matchable = Partial<Message> & Pick<Message, "type" | "writer">;

/** A filter that was made ready for the consumer of one agent. */
export interface CompiledFilter {
  /** Whether an entry can hold a message that it takes, by a look that costs little. */
  mayHold(entry: Entry): boolean;
  takes(message: Matchable): boolean;
}

/**
 * Makes the published part of a filter ready for an agent's consumer, of which any writer is given. Where it is faulty, as
 * a register of others may have it, it takes nothing.
 */
export function compileFilter(
  filter: Declared,
  writer: string,
  { group }: Pick<ConsumerRecord, "group"> = {},
): CompiledFilter {
  const { type, topic, match, replies = false } = filter;
  const agent = agentOf(writer);
  if (agent === undefined || (replies && topic !== undefined)) {
    return { mayHold: () => false, takes: () => false };
  }
  const name = agent.slice(agent.indexOf(".") + 1);
  const prefix = `${agent}.`;
  const isType = typeTest(type);
  const isAnyType = type === undefined;
  const isTopic = topic === undefined ? undefined : compileTopicPattern(topic);
  const fits = match === undefined ? undefined : compileMatcher(match);

  function isSentTo(to: string): boolean {
    return to === name || to === agent || to === everyone || to.startsWith(prefix);
  }

  /** Whether it is for the agent, were it anybody's. */
  function names(type: unknown, to: unknown, subject: unknown, role: unknown): boolean {
    if (!isType(type) || (role === "reply") !== replies || (isAnyType && isCall(type, role))) return false;
    if (isTopic) return typeof subject === "string" && isTopic(subject);
    return typeof to === "string" && isSentTo(to);
  }

  /** What goes to many is not for whoever says it; in a group it may be for any other. */
  function isOwnWord({ to, writer }: Matchable): boolean {
    return group === undefined && (to === undefined || to === everyone) && writer.startsWith(prefix);
  }

  return {
    mayHold({ kind, body }) {
      if (kind !== messageKind || typeof body !== "object" || body === null || Array.isArray(body))
        return false;
      const { type, to, topic, role } = body as JsonObject;
      return names(type, to, topic, role);
    },
    takes(message) {
      const { type, to, topic, role } = message;
      return names(type, to, topic, role) && !isOwnWord(message) && (!fits || fits(message));
    },
  };
}

function typeTest(types: Declared["type"]): (type: unknown) => boolean {
  if (types === undefined) return () => true;
  if (typeof types === "string") return (type) => type === types;
  const all = new Set<unknown>(types);
  return (type) => all.has(type);
}

/** A call of a service, which is for whoever serves it. */
function isCall(type: unknown, role: unknown): boolean {
  return role === "request" && typeof type === "string" && type.startsWith(serviceTypePrefix);
}

/** Tells whether a message is for the consumer of an agent, as far as its published filter says. */
export function matchesRecord(
  filter: Declared,
  message: Matchable,
  writer: string,
  options: Pick<ConsumerRecord, "group"> = {},
): boolean {
  return compileFilter(filter, writer, options).takes(message);
}

/** The part of a filter that others are told, for senders who wait. */
export function declaredOf({ type, topic, match, replies }: MessageFilter): Declared {
  const names = typesOf(type);
  return {
    ...(names.length > 0 && { type: names.length === 1 ? (names[0] as string) : names }),
    ...(topic !== undefined && { topic }),
    // A copy: it says the same whatever becomes of the object.
    ...(match !== undefined && { match: structuredClone(match) }),
    ...(replies && { replies }),
  };
}

/** The names of the types, each once, in an order that does not depend on how they were given. */
function typesOf(type: MessageFilter["type"]): string[] {
  if (type === undefined) return [];
  const all: readonly TypeName[] = isSeveral(type) ? type : [type];
  return [...new Set(all.map((each) => (typeof each === "string" ? each : each?.type)))].sort();
}

function isSeveral(type: TypeName | readonly TypeName[]): type is readonly TypeName[] {
  return Array.isArray(type);
}

/** Types of one filter. */
const maxTypes = 64;
const { type: typeSchema } = messageBodySchema.shape;
/** Begins the names of groups' consumers; a name that is given can't. */
const groupPrefix = "group:";
/** Begins the names of the library's own, which no application may take from it. */
export const ownPrefix = "own:";
const isReserved = (name: string): boolean => name.startsWith(groupPrefix) || name.startsWith(ownPrefix);

/**
 * The name under which a consumer keeps its position. A filter alone gives one by its topic and types; agents of a group
 * consume under a name in common.
 *
 * @throws `messaging/invalid-filter`, `messaging/consumer-name-required`
 */
export function consumerName(
  filter: MessageFilter,
  name: string | undefined,
  { group }: { group?: string | undefined } = {},
): string {
  assertFilter(filter);
  if (group !== undefined && !isId(group)) {
    throw invalid(`A group can't be named ${shown(group)}: use 1-64 characters of A-Za-z0-9_-.`);
  }
  const prefix = group === undefined ? "" : `${groupPrefix}${group}/`;
  const longest = maxConsumerNameLength - prefix.length;
  if (name !== undefined) {
    const isInherited = name in {};
    if (name === "" || isInherited || name.length > longest || isReserved(name)) {
      throw invalid(
        `A consumer can't be named ${shown(name)}: use 1-${longest} characters, not ${groupPrefix} or ${ownPrefix} before them, and no name that every object has.`,
      );
    }
    return prefix + name;
  }
  const given = defaultName(filter);
  if (filter.where || filter.match || given.length > longest) {
    throw new FlockError(
      "messaging/consumer-name-required",
      "A filter with `where` or `match`, or of very many types, needs a `consumer` name, so that its position is found again after a reload.",
    );
  }
  return prefix + given;
}

function defaultName({ type, topic, replies }: MessageFilter): string {
  const kind = replies ? "replies" : "direct";
  return `${topic === undefined ? kind : `topic:${topic}`}/${typesOf(type).join(",") || "*"}`;
}

function assertFilter(filter: MessageFilter): void {
  const { topic, match, replies } = filter;
  const types = filter.type === undefined ? undefined : typesOf(filter.type);
  if (types && (types.length === 0 || types.length > maxTypes)) {
    throw invalid(`A filter is of 1-${maxTypes} types, or of all without one.`);
  }
  const wrong = types?.findIndex((type) => !z.safeParse(typeSchema, type).success) ?? -1;
  if (wrong >= 0) throw invalid(`No message has the type ${shown(types?.[wrong])}.`);
  if (topic !== undefined && !isTopicPattern(topic)) {
    throw invalid(`No topic fits ${shown(topic)}: join words of A-Za-z0-9_-, *, and at the end >, by dots.`);
  }
  if (topic !== undefined && replies) throw invalid("Replies name the agent: leave out the topic.");
  const fault = match === undefined ? undefined : faultOf(match);
  if (fault !== undefined) throw invalid(`The filter's matcher can't be: ${fault}.`);
}

function invalid(message: string): FlockError {
  return new FlockError("messaging/invalid-filter", message);
}

function shown(value: unknown): string {
  return JSON.stringify(typeof value === "string" ? value.slice(0, 100) : value) ?? String(value);
}
