import type { Clock, FlockError, RandomBytes, Undo } from "../../base/index.ts";
import type { Documents, Pen } from "../../crdt/index.ts";
import { agentOf } from "../../protocol/index.ts";
import type { HandlerContext } from "../consumer/handler-context.ts";
import { ownPrefix } from "../filter/filter.ts";
import type { Message, ReceivedMessage } from "../message/message.ts";
import type { RoledMessage } from "../message/outgoing.ts";
import {
  type MethodSchemas,
  type Service,
  type ServiceClient,
  type ServiceHandlers,
  serviceConsumer,
  serviceType,
} from "./define-service.ts";
import { createExchanges, type OutgoingRequest } from "./exchanges.ts";
import { type RequestOptions, request } from "./request.ts";
import { type RequestManyOptions, requestMany } from "./request-many.ts";
import { serve } from "./serve.ts";
import { createServiceClient, type ServiceOptions } from "./service-client.ts";
import type { ServiceDesk } from "./service-desk.ts";

/** A durable consumer that the requests of an agent need. */
export interface RequestConsumer {
  /** Its name. */
  consumer: string;
  filter: { type?: string; replies?: true };
  handler: (message: ReceivedMessage, context: HandlerContext) => Promise<void>;
  from?: "now";
  order?: "none";
  maxInFlight?: number;
}

/** What an agent asks of others, and does for them. */
export interface Requests {
  /**
   * Sends a request and resolves with the first reply of whoever was asked. Offline it waits in the lane; past its
   * deadline, which travels with it, nobody handles it any more. One to a single agent, `alice.planner` or its writer, fails
   * early where every consumer there that takes it has given it up. A reply that comes after its end, or after this page was
   * reloaded, is told as the problem `messaging/late-reply`.
   *
   * @throws `messaging/expired`, `messaging/request-failed` for a reply that is an error or where it was given up, `messaging/invalid-options`,
   * `room/closed`, the signal's reason, and as `send`
   * @example
   * ```ts
   * const room = await openRoom("questions");
   * const planner = await room.agent("planner");
   * const critic = await room.agent("critic");
   * critic.onMessage({ type: "QUERY" }, async (message) => {
   *   await critic.respond(message, { content: "Not yet." });
   * });
   * const reply = await planner.request({ to: "critic", type: "QUERY", content: "Is it done?" });
   * reply.content; // "Not yet."
   * await room.close();
   * ```
   */
  request(message: OutgoingRequest, options?: RequestOptions): Promise<ReceivedMessage>;
  /**
   * Sends a request, when its first reply is asked for, and gives the replies of all who were asked as they come, those
   * that are errors too. It ends after `totalMs`, after `stallMs` without a further reply, with `max` replies, or at one
   * that `until` says is only the end. Whoever leaves the loop earlier takes the request back.
   *
   * @throws while it is read: as `request`, but for `messaging/expired` and `messaging/request-failed`
   * @example
   * ```ts
   * const room = await openRoom("poll");
   * const chair = await room.agent("chair");
   * for (const name of ["ann", "bob"]) {
   *   const voter = await room.agent(name);
   *   voter.onMessage({ topic: "votes" }, async (message) => {
   *     await voter.respond(message, { content: `${name}: yes` });
   *   });
   * }
   * const votes: unknown[] = [];
   * const ballot = { topic: "votes", type: "QUERY", content: "Ship it?" };
   * for await (const { content } of chair.requestMany(ballot, { max: 2 })) votes.push(content);
   * votes.sort(); // ["ann: yes", "bob: yes"]
   * await room.close();
   * ```
   */
  requestMany(
    message: OutgoingRequest,
    options?: RequestManyOptions,
  ): AsyncIterableIterator<ReceivedMessage, undefined>;
  /**
   * Serves a service: each call's input and output are checked by their schemas, and a method that throws answers with
   * its message. A call runs at least once; it runs once while this page stays.
   *
   * @throws `messaging/consumer-exists` where the agent serves it already, `room/closed`
   */
  serve<Methods extends Readonly<Record<string, MethodSchemas>>>(
    service: Service<Methods>,
    handlers: ServiceHandlers<Methods>,
    options?: ServeMethodsOptions,
  ): Undo;
  /**
   * Makes a client of a service. A call to an agent of this very room object does not pass through the room; one to an
   * agent that is within reach goes by signals; any other, and one whose signals are lost, by a message.
   *
   * @throws each call: `messaging/invalid-content`, `messaging/unknown-method`, and as `request`
   */
  service<Methods extends Readonly<Record<string, MethodSchemas>>>(
    service: Service<Methods>,
    options: ServiceOptions,
  ): ServiceClient<Methods>;
  close(): void;
}

export interface ServeMethodsOptions {
  /** Calls by messages that run at once. Default 16. */
  maxInFlight?: number;
}

export interface RequestsOptions {
  writer: Pen;
  documents: Pick<Documents, "log" | "signals" | "presence" | "register" | "registers" | "registerChanged">;
  desk: ServiceDesk;
  clock: Clock;
  random: RandomBytes;
  send(message: RoledMessage): Promise<{ readonly id: string }>;
  resolve(message: Message, signal: AbortSignal): ReceivedMessage | Promise<ReceivedMessage>;
  consume(consumer: RequestConsumer): Undo;
  onProblem(error: FlockError): void;
}

const repliesName = `${ownPrefix}replies`;

/** Creates an agent's requests; one that has asked before hears of the replies that come late. */
export function createRequests(options: RequestsOptions): Requests {
  const { writer, documents, desk, clock, random, consume, onProblem } = options;
  const exchanges = createExchanges({
    ...options,
    openReplies: (handler) =>
      consume({ consumer: repliesName, filter: { replies: true }, handler, from: "now" }),
    hasAsked: writer.register()?.consumers[repliesName] !== undefined,
  });
  const agent = agentOf(writer.id) ?? writer.id;
  const caller = { writer, agent, desk, documents, exchanges, clock, random };

  return {
    request: (message, requestOptions) => request({ exchanges, clock }, message, requestOptions),
    requestMany: (message, manyOptions) => requestMany({ exchanges, clock, onProblem }, message, manyOptions),
    serve: (service, handlers, { maxInFlight = 16 } = {}) => {
      const type = serviceType(service.name);
      return serve(service, handlers, {
        writer,
        agent,
        desk,
        signals: documents.signals,
        clock,
        consume: (handler) =>
          consume({
            consumer: serviceConsumer(service.name),
            filter: { type },
            handler,
            order: "none",
            maxInFlight,
          }),
      });
    },
    service: (service, serviceOptions) => createServiceClient(caller, service, serviceOptions),
    close: exchanges.close,
  };
}
