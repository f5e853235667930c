import type { Clock, FlockError, RandomBytes, Undo } from "../../base/index.ts";
import type { Documents, Pen } from "../../crdt/index.ts";
import type { Message, ReceivedMessage } from "../message/message.ts";
import type { RoledMessage } from "../message/outgoing.ts";
import type { OutgoingResponse } from "../message/response.ts";
import {
  type MethodSchemas,
  type Service,
  type ServiceClient,
  type ServiceHandlers,
  serviceType,
} from "./define-service.ts";
import { createExchanges, type OutgoingRequest } from "./exchanges.ts";
import { type RequestOptions, request } from "./request.ts";
import { type RequestManyOptions, requestMany } from "./request-many.ts";
import { type ServeContext, serve } from "./serve.ts";
import { createServiceClient, type ServiceOptions } from "./service-client.ts";
import type { ServiceDesk } from "./service-desk.ts";

/** A durable consumer that the requests of an agent need. */
export interface RequestConsumer {
  /** Its name. */
  consumer: string;
  filter: { type?: string; replies?: true };
  handler(message: ReceivedMessage, context: ServeContext): Promise<void>;
  from?: "now";
  order?: "none";
  maxInFlight?: number;
}

/** What an agent asks of others, and does for them. */
export interface Requests {
  request(message: OutgoingRequest, options?: RequestOptions): Promise<ReceivedMessage>;
  requestMany(
    message: OutgoingRequest,
    options?: RequestManyOptions,
  ): AsyncIterableIterator<ReceivedMessage, undefined>;
  serve<Methods extends Readonly<Record<string, MethodSchemas>>>(
    service: Service<Methods>,
    handlers: ServiceHandlers<Methods>,
    options?: ServeMethodsOptions,
  ): Undo;
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
  documents: Pick<Documents, "log" | "signals" | "presence" | "register">;
  desk: ServiceDesk;
  clock: Clock;
  random: RandomBytes;
  send(message: RoledMessage): Promise<{ readonly id: string }>;
  respond(message: ReceivedMessage, response: OutgoingResponse): Promise<unknown>;
  resolve(message: Message, signal: AbortSignal): Promise<ReceivedMessage>;
  consume(consumer: RequestConsumer): Undo;
  onProblem(error: FlockError): void;
}

const repliesName = "replies";

/** Creates an agent's requests; one that has asked before hears of the replies that come late. */
export function createRequests(options: RequestsOptions): Requests {
  const { writer, documents, desk, clock, random, respond, consume, onProblem } = options;
  const exchanges = createExchanges({
    ...options,
    log: documents.log,
    openReplies: (handler) =>
      consume({ consumer: repliesName, filter: { replies: true }, handler, from: "now" }),
    hasAsked: writer.register()?.consumers[repliesName] !== undefined,
  });
  const caller = { writer, desk, documents, exchanges, clock, random };

  return {
    request: (message, requestOptions) => request({ exchanges, clock }, message, requestOptions),
    requestMany: (message, manyOptions) => requestMany({ exchanges, clock, onProblem }, message, manyOptions),
    serve: (service, handlers, { maxInFlight = 16 } = {}) => {
      const consumer = serviceType(service.name);
      return serve(service, handlers, {
        writer,
        desk,
        signals: documents.signals,
        clock,
        consume: (handler) =>
          consume({ consumer, filter: { type: consumer }, handler, order: "none", maxInFlight }),
        reply: respond,
      });
    },
    service: (service, serviceOptions) => createServiceClient(caller, service, serviceOptions),
    close: exchanges.close,
  };
}
