import { type Clock, type Closable, createScope, FlockError, type Undo } from "../base/index.ts";
import type { Documents, OpenedWriter } from "../crdt/index.ts";
import {
  type ConsumerStart,
  consumerName,
  createOutbox,
  createResponse,
  createStreams,
  type DeliveryBoard,
  type GapHandler,
  type Message,
  type MessageFilter,
  type MessageHandler,
  type MessageTypes,
  type OutgoingMessage,
  type OutgoingResponse,
  type OutgoingStream,
  openConsumer,
  readMessage,
  resolveContent,
  type SentMessage,
  type StreamWriter,
} from "../messaging/index.ts";
import type { LayeredStore, PolicyManager } from "../refstore/index.ts";

/** A named actor in a room: sends, and handles what is sent to it. */
export interface Agent extends Closable {
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
  respond(message: Message, response: OutgoingResponse): Promise<SentMessage>;
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
   * promise resolves; when it rejects, or the page goes away before, the message is delivered again.
   * What is sealed is read from history first. `consumer` names the position that is kept; by default the filter does.
   *
   * @throws `messaging/consumer-exists`, `messaging/consumer-name-required`, `messaging/invalid-filter`, `room/closed`.
   */
  onMessage(filter: MessageFilter, handler: MessageHandler, options?: OnMessageOptions): Undo;
  /**
   * Says that this writer will not come back, and closes the agent: nobody lists it any more. What it wrote stays; an
   * agent of this name that is opened here again takes it back.
   */
  leave(): Promise<void>;
}

export interface OnMessageOptions {
  /** The name under which the position is kept. */
  consumer?: string;
  /**
   * Where a consumer that nobody has opened before begins: with all that retention has kept (`start`), with what is live
   * of it (`live`: about the newest 1,024 entries of each lane), or with what comes from now on (`now`). Default `start`
   * for messages that name the agent, so that none is lost that was sent before; `live` for a topic.
   */
  from?: ConsumerStart;
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
  types: MessageTypes;
  clock: Clock;
  onProblem(error: FlockError): void;
  onClosed(): void;
}

/** Creates an agent over its writer and announces it in the writer's register. */
export function createAgent(options: AgentOptions): Agent {
  const { name, capabilities, opened, documents, refs, policy, board, types, clock, onProblem, onClosed } =
    options;
  const { writer, resumed, knownLanes } = opened;
  const scope = createScope();
  scope.add(() => {
    documents.releaseWriter(writer.id);
    onClosed();
  });
  const consumers = new Set<string>();
  const outbox = createOutbox({
    writer,
    refs,
    policy,
    clock,
    types,
    delivered: board.delivered,
    labelsOf(id) {
      const entry = documents.log.get(id);
      return entry && readMessage(entry)?.labels;
    },
  });

  const before = writer.register();
  writer.setRegister({
    version: 1,
    since: before?.since ?? clock.now(),
    consumers: before?.consumers ?? {},
    capabilities: [...capabilities],
  });

  const streams = createStreams({ writer, log: documents.log, refs, outbox, clock });
  scope.add(() => streams.close());

  function assertOpen(): void {
    if (scope.closed) throw new FlockError("room/closed", `The agent ${name} is closed: open it again.`);
  }

  return {
    name,
    get writer() {
      return writer.id;
    },
    capabilities,
    async send(message) {
      assertOpen();
      return outbox.send(message);
    },
    async respond(message, response) {
      assertOpen();
      const role = message.role === "request" ? ({ role: "reply" } as const) : {};
      return outbox.send({ ...createResponse(message, response), ...role });
    },
    async openStream(stream) {
      assertOpen();
      return streams.open(stream);
    },
    onMessage(filter, handler, { consumer, from, onGap } = {}) {
      assertOpen();
      const key = consumerName(filter, consumer);
      if (consumers.has(key)) {
        throw new FlockError(
          "messaging/consumer-exists",
          `The agent ${name} has a consumer ${key} already: give this one a name of its own with { consumer }.`,
          { details: { consumer: key } },
        );
      }
      consumers.add(key);
      const stop = openConsumer({
        name: key,
        filter,
        handler,
        onGap,
        start: from ?? (filter.topic === undefined ? "start" : "live"),
        writer,
        resumed,
        knownLanes,
        documents,
        clock,
        resolve: (message, signal) => resolveContent(message, { refs, types }, signal),
        onProblem,
      });
      scope.add(stop);
      return () => {
        stop();
        consumers.delete(key);
      };
    },
    async leave() {
      const hasClosed = scope.closed;
      await scope.close();
      if (hasClosed) return;
      writer.leave();
      await writer.flush();
    },
    close: () => scope.close(),
  };
}
