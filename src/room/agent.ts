import { type Clock, type Closable, createScope, FlockError, type Undo } from "../base/index.ts";
import type { Documents, OpenedWriter } from "../crdt/index.ts";
import {
  consumerName,
  createOutbox,
  type DeliveryBoard,
  type MessageFilter,
  type MessageHandler,
  type OutgoingMessage,
  openConsumer,
  readMessage,
  resolveContent,
  type SentMessage,
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
   * @throws `messaging/invalid-message`, `messaging/value-too-large`, `room/closed`, `refstore/quota`,
   * `refstore/too-large`.
   */
  send(message: OutgoingMessage): Promise<SentMessage>;
  /**
   * Handles messages at least once each, in order within a sender's lane. A message is acknowledged when the handler's
   * promise resolves; when it rejects, or the page goes away before, the message is delivered again.
   * `consumer` names the position that is kept; by default the filter does.
   *
   * @throws `messaging/consumer-exists`, `messaging/consumer-name-required`, `messaging/invalid-filter`, `room/closed`.
   */
  onMessage(filter: MessageFilter, handler: MessageHandler, options?: { consumer?: string }): Undo;
}

export interface AgentOptions {
  name: string;
  capabilities: readonly string[];
  opened: OpenedWriter;
  documents: Documents;
  refs: LayeredStore;
  policy: PolicyManager;
  board: DeliveryBoard;
  clock: Clock;
  onProblem(error: FlockError): void;
  onClosed(): void;
}

/** Creates an agent over its writer and announces it in the writer's register. */
export function createAgent(options: AgentOptions): Agent {
  const { name, capabilities, opened, documents, refs, policy, board, clock, onProblem, onClosed } = options;
  const { writer, resumed, knownLanes } = opened;
  const scope = createScope();
  scope.add(() => {
    documents.releaseWriter(writer.id);
    onClosed();
  });
  const consumers = new Set<string>();
  const outbox = createOutbox({ writer, refs, policy, delivered });

  const before = writer.register();
  writer.setRegister({
    version: 1,
    since: before?.since ?? clock.now(),
    consumers: before?.consumers ?? {},
    capabilities: [...capabilities],
  });

  async function delivered(id: string): Promise<void> {
    await writer.flush();
    const entry = documents.log.get(id);
    const message = entry && readMessage(entry);
    if (message) await board.delivered(message);
  }

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
    onMessage(filter, handler, { consumer } = {}) {
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
        writer,
        resumed,
        knownLanes,
        documents,
        clock,
        resolve: (message, signal) => resolveContent(message, refs, signal),
        onProblem,
      });
      scope.add(stop);
      return () => {
        stop();
        consumers.delete(key);
      };
    },
    close: () => scope.close(),
  };
}
