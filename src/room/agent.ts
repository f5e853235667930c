import {
  type Clock,
  type Closable,
  createScope,
  FlockError,
  type RandomBytes,
  type Undo,
} from "../base/index.ts";
import type { Documents, OpenedWriter } from "../crdt/index.ts";
import {
  type Cancellations,
  type ConsumerDelivery,
  consumerName,
  createOutbox,
  createRequests,
  createResponder,
  createResponse,
  createSentBefore,
  createStreams,
  type DeadLetters,
  type DeliveryBoard,
  deadLetterWriter,
  type GapHandler,
  type IdempotencyIndex,
  type LetterName,
  type Message,
  type MessageFilter,
  type MessageHandler,
  type MessageTypes,
  type OutgoingMessage,
  type OutgoingResponse,
  type OutgoingStream,
  openConsumer,
  type ReceivedMessage,
  type Requests,
  type RoledMessage,
  readMessage,
  redrive,
  resolveContent,
  type SentMessage,
  type SentRedrive,
  type ServiceDesk,
  type StreamWriter,
  withoutServed,
} from "../messaging/index.ts";
import { maxConsumers } from "../protocol/index.ts";
import type { LayeredStore, PolicyManager } from "../refstore/index.ts";
import { consumerStart, type MessageStart } from "./message-start.ts";

/** A named actor in a room: sends, and handles what is sent to it. */
export interface Agent extends Closable, Pick<Requests, "request" | "requestMany" | "serve" | "service"> {
  readonly name: string;
  /**
   * The writer that this agent is here at present: `principal.agent.nonce`. It is another one from the moment that its
   * lane turns out to be written elsewhere too, as by a copied browser profile.
   */
  readonly writer: string;
  readonly capabilities: readonly string[];
  /**
   * Sends a message, by value or by reference as its type's policy says. It applies here at once,
   * and travels when there is a network.
   *
   * @throws `messaging/invalid-message`, `messaging/invalid-content`, `messaging/value-too-large`, `room/closed`,
   * `refstore/quota`, `refstore/too-large`.
   */
  send(message: OutgoingMessage): Promise<SentMessage>;
  /**
   * Sends the answer to a message, as `createResponse` makes it.
   *
   * @throws as `send`
   */
  respond(message: Message | ReceivedMessage, response: OutgoingResponse): Promise<SentMessage>;
  /**
   * Sends a message that opens a stream, and gives what to write it with: parts follow it in this agent's lane, gathered
   * for 50 ms, and at the end a reference to the whole, at most 32 MiB, which is held in memory until then. Closing the
   * agent gives up what has not ended; so does its next opening here, where the page went away before.
   *
   * @throws `messaging/invalid-options`, and as `send`
   * @example
   * ```ts
   * const room = await openRoom("tokens");
   * const writer = await room.agent("writer");
   * const stream = await writer.openStream({ topic: "drafts", type: "DRAFT" });
   * for (const token of ["Once ", "upon ", "a time"]) await stream.write(token);
   * const { size } = await stream.end();
   * let draft = "";
   * for await (const piece of room.readStream(stream.id)) if ("text" in piece) draft += piece.text;
   * draft; // "Once upon a time"
   * size; // 16
   * await room.close();
   * ```
   */
  openStream(stream: OutgoingStream): Promise<StreamWriter>;
  /**
   * Handles messages at least once each, in order within a sender's lane. A message is acknowledged when the handler's
   * promise resolves, unless the handler has said otherwise; when it rejects, or the page goes away before, the message is
   * delivered again, and after `maxDeliver` deliveries given up as one of `room.deadLetters`.
   * What is sealed is read from history first. `consumer` names the position that is kept; by default the filter does.
   *
   * @throws `messaging/consumer-exists`, `messaging/consumer-name-required`, `messaging/too-many-consumers`, `messaging/invalid-filter`,
   * `messaging/invalid-options`, `room/invalid-options` where `from` has a cursor that is none, `room/closed`.
   */
  onMessage(filter: MessageFilter, handler: MessageHandler, options?: OnMessageOptions): Undo;
  /**
   * Asks the consumer of a dead letter, wherever it is, to handle the message again, with attempts from 1: a letter as
   * `room.deadLetters` lists it. Whoever handles it knows who asked. Where the letter is not known here yet, it waits
   * until all are.
   *
   * @throws `messaging/not-dead` where that consumer has not given up the message, or was asked already; `room/closed`,
   * `crdt/closed`, and the signal's reason
   */
  redrive(letter: LetterName, options?: { signal?: AbortSignal }): Promise<SentRedrive>;
  /**
   * Says that this writer will not come back, and closes the agent: nobody lists it any more. What it wrote stays; an
   * agent of this name that is opened here again takes it back.
   */
  leave(): Promise<void>;
}

export interface OnMessageOptions extends ConsumerDelivery {
  /** The name under which the position is kept. */
  consumer?: string;
  /**
   * Agents of this room that consume under this name and the same `consumer` share the messages among them: each is handled
   * by one of those that are present.
   */
  group?: string;
  /**
   * Where a consumer that nobody has opened before begins. Default `start` for messages that name the agent, so that none
   * is lost that was sent before; `live` for a topic.
   */
  from?: MessageStart;
  /**
   * Told once for each time that retention took pages of a lane before this consumer had read them; told again, as a
   * message is delivered again, where it rejects or the page goes away before. The room tells it as `messaging/gap` too.
   */
  onGap?: GapHandler;
}

export interface AgentOptions {
  name: string;
  capabilities: readonly string[];
  opened: OpenedWriter;
  documents: Documents;
  refs: LayeredStore;
  policy: PolicyManager;
  board: DeliveryBoard;
  deadLetters: DeadLetters;
  types: MessageTypes;
  idempotency: IdempotencyIndex;
  cancellations: Cancellations;
  /** What the agents of this room object serve. */
  desk: ServiceDesk;
  clock: Clock;
  random: RandomBytes;
  /** Aborts when the room closes. */
  closing: AbortSignal;
  onProblem(error: FlockError): void;
  onClosed(): void;
}

/** Creates an agent over its writer and announces it in the writer's register. */
export function createAgent(options: AgentOptions): Agent {
  const {
    name,
    capabilities,
    opened,
    documents,
    refs,
    policy,
    board,
    deadLetters,
    types,
    desk,
    clock,
    random,
  } = options;
  const { idempotency, cancellations, closing, onProblem, onClosed } = options;
  const { writer, resumed, knownLanes } = opened;
  const scope = createScope();
  scope.add(() => {
    documents.releaseWriter(writer.id);
    onClosed();
  });
  const consumers = new Set<string>();
  /** What stops each consumer and service that is open. */
  const running = new Set<Undo>();
  const giveUp = deadLetterWriter(writer);
  const outbox = createOutbox({
    writer,
    refs,
    policy,
    clock,
    types,
    delivered: board.delivered,
    findSent: createSentBefore({
      documents,
      refs,
      index: idempotency,
      delivered: board.delivered,
      writer: () => writer.id,
      closing,
    }),
    labelsOf(id) {
      const entry = documents.log.get(id);
      return entry && readMessage(entry)?.labels;
    },
  });

  const before = writer.register();
  writer.setRegister({
    version: 1,
    since: before?.since ?? clock.now(),
    consumers: withoutServed(before?.consumers ?? {}),
    capabilities: [...capabilities],
  });

  const streams = createStreams({ writer, log: documents.log, refs, outbox, clock });
  scope.add(() => streams.close());

  const responder = createResponder({
    writer,
    clock,
    send: (message, response) => agent.respond(message, response),
  });
  scope.add(() => responder.close());

  function closed(): FlockError {
    return new FlockError("room/closed", `The agent ${name} is closed: open it again.`);
  }

  function assertOpen(): void {
    if (scope.closed) throw closed();
  }

  function assertRoomFor(consumer: string): void {
    const known = writer.register()?.consumers ?? {};
    if (Object.hasOwn(known, consumer) || Object.keys(known).length < maxConsumers) return;
    throw new FlockError(
      "messaging/too-many-consumers",
      `The agent ${name} has ${maxConsumers} consumers, those of earlier sessions included: ${consumer} would be one more. Use names that stay.`,
      { details: { consumer, maxConsumers } },
    );
  }

  /** What requests and streams mark is theirs to mark: an application's message of these roles would wait for nobody. */
  function send(message: OutgoingMessage): Promise<SentMessage> {
    const role = (message as RoledMessage | null)?.role;
    if (role === undefined || role === "reply") return outbox.send(message);
    const why = `A message of the role ${JSON.stringify(role)} is sent by request or openStream: leave the role out.`;
    return Promise.reject(new FlockError("messaging/invalid-message", why, { details: { path: "role" } }));
  }

  /** Stops with the agent at the latest, and once: by then another may have its name. */
  function kept(stop: Undo): Undo {
    const undo = (): void => {
      if (running.delete(undo)) stop();
    };
    running.add(undo);
    return undo;
  }

  function resolve(message: Message, signal: AbortSignal): ReceivedMessage | Promise<ReceivedMessage> {
    return resolveContent(message, { refs, types }, signal);
  }

  function consume(
    key: string,
    filter: MessageFilter,
    handler: MessageHandler,
    { group, from, onGap, ...delivery }: Omit<OnMessageOptions, "consumer">,
  ): Undo {
    if (consumers.has(key)) {
      throw new FlockError(
        "messaging/consumer-exists",
        `The agent ${name} has a consumer ${key} already: give this one a name of its own with { consumer }.`,
        { details: { consumer: key } },
      );
    }
    assertRoomFor(key);
    const stop = openConsumer({
      ...delivery,
      name: key,
      filter,
      group,
      handler,
      responder,
      onGap,
      start: consumerStart(from ?? (filter.topic === undefined ? "start" : "live")),
      writer,
      resumed,
      knownLanes,
      documents,
      clock,
      resolve,
      duplicateOf: idempotency.duplicateOf,
      cancelled: cancellations.cancelled,
      onCancelled: cancellations.onCancelled,
      giveUp,
      onProblem,
    });
    consumers.add(key);
    return kept(() => {
      stop();
      consumers.delete(key);
    });
  }

  const agent: Agent = {
    name,
    get writer() {
      return writer.id;
    },
    capabilities,
    send: (message) => (scope.closed ? Promise.reject(closed()) : send(message)),
    async respond(message, response) {
      assertOpen();
      return outbox.send(createResponse(message, response));
    },
    async openStream(stream) {
      assertOpen();
      return streams.open(stream);
    },
    onMessage(filter, handler, { consumer, ...rest } = {}) {
      assertOpen();
      return consume(consumerName(filter, consumer, rest), filter, handler, rest);
    },
    async redrive(letter, { signal } = {}) {
      assertOpen();
      return redrive(letter, { writer, deadLetters, signal });
    },
    async leave() {
      const hasClosed = scope.closed;
      await scope.close();
      if (hasClosed) return;
      writer.leave();
      await writer.flush();
    },
    async request(message, requestOptions) {
      assertOpen();
      return requests.request(message, requestOptions);
    },
    requestMany(message, manyOptions) {
      assertOpen();
      return requests.requestMany(message, manyOptions);
    },
    serve(service, handlers, serveOptions) {
      assertOpen();
      return kept(requests.serve(service, handlers, serveOptions));
    },
    service(service, serviceOptions) {
      assertOpen();
      return requests.service(service, serviceOptions);
    },
    close: () => scope.close(),
  };

  const requests = createRequests({
    writer,
    documents,
    desk,
    clock,
    random,
    send: outbox.send,
    resolve,
    consume({ consumer, filter, handler, ...rest }) {
      assertOpen();
      return consume(consumer, filter, handler, rest);
    },
    onProblem,
  });
  scope.add(requests.close);
  scope.add(() => {
    for (const undo of [...running].reverse()) undo();
  });
  return agent;
}
