import { type Clock, toUtf8 } from "../../base/index.ts";
import type { Pen } from "../../crdt/index.ts";
import { type JsonObject, type MessageBody, messageKind, parseEntryId } from "../../protocol/index.ts";
import type { LayeredStore, PolicyManager, Tier } from "../../refstore/index.ts";
import { bytesType, jsonType } from "./content.ts";
import { invalidMessage } from "./message.ts";
import type { MessageTypes } from "./message-types.ts";
import {
  type PreparedMessage,
  prepareMessage,
  type RoledMessage,
  type WrittenContent,
  withContent,
} from "./outgoing.ts";
import { type SentMessage, type SentPorts, sentMessage } from "./sent-message.ts";

export interface OutboxOptions extends SentPorts {
  writer: Pen;
  refs: Pick<LayeredStore, "put" | "state" | "onChange">;
  policy: PolicyManager;
  clock: Pick<Clock, "now">;
  /** Types that have a schema. Default: none. */
  types?: Pick<MessageTypes, "write"> | undefined;
  /** The labels of a message that is here. Default: nothing is passed on. */
  labelsOf?: ((id: string) => readonly string[] | undefined) | undefined;
  /** The message that was sent with a key before. Default: none ever was. */
  findSent?: ((key: string) => Promise<SentMessage | undefined>) | undefined;
}

/** Sends an agent's messages, in the order of the calls. */
export interface Outbox {
  /**
   * @throws `messaging/invalid-message`, `messaging/invalid-content`, `messaging/value-too-large`, and what storing a
   * reference throws.
   */
  send(message: RoledMessage): Promise<SentMessage>;
}

const noParents: readonly string[] = [];
const noReferences = {};

/** Creates the outbox of an agent. */
export function createOutbox(options: OutboxOptions): Outbox {
  const { writer, refs, policy, clock, types, labelsOf = () => undefined, findSent } = options;
  /** Settles when every message so far is in the lane; undefined while none has to wait. */
  let before: Promise<unknown> | undefined;

  function append(body: MessageBody): Promise<SentMessage> {
    const { reference } = body;
    const appended = writer.append(
      { kind: messageKind, parents: parentsOf(body), body: body as JsonObject },
      reference ? { references: [reference.id] } : noReferences,
    );
    const sent = sentMessage(options, appended.id, body, {
      local: () => appended.settled("local"),
      relayed: () => appended.settled("relayed"),
    });
    return appended.shown().then(() => sent);
  }

  /** Appends after the messages before, which may still store their content. */
  function inOrder(ready: () => Promise<SentMessage>): Promise<SentMessage> {
    const sent = (before ?? Promise.resolve()).then(ready);
    const settled = sent.then(
      () => undefined,
      () => undefined,
    );
    before = settled;
    void settled.then(() => {
      if (before === settled) before = undefined;
    });
    return sent;
  }

  /** Begins to store what travels by reference; what it returns then appends the message as it is now. */
  function begin(prepared: PreparedMessage): () => Promise<SentMessage> {
    const { body, bytes } = prepared;
    if (tierOf(policy, prepared) === "value") {
      const copy = structuredClone(body);
      return () => append(copy);
    }
    const { content, ...fields } = body;
    const rest = structuredClone(fields);
    const stored = refs.put(bytes ?? toUtf8(JSON.stringify(content)), {
      contentType: bytes ? bytesType : jsonType,
    });
    // Its failure is told by the message that waits for it, also where one before it fails first.
    stored.catch(() => undefined);
    return async () => append({ ...rest, reference: await stored });
  }

  function prepare(message: RoledMessage, written: WrittenContent): PreparedMessage {
    return prepareMessage(message, written, { now: clock.now(), labelsOf });
  }

  function send(message: RoledMessage): Promise<SentMessage> {
    if (typeof message !== "object" || message === null) throw invalidMessage("", "it is no object");
    const written = types?.write(message.type, message.content) ?? { content: message.content };
    if (written instanceof Promise) return sendChecked(message, written);
    const prepared = prepare(message, written);
    const key = prepared.body.idempotencyKey;
    if (key !== undefined && findSent) {
      const copy = { ...prepared, body: structuredClone(prepared.body), bytes: prepared.bytes?.slice() };
      return sendOnce(findSent, key, () => copy);
    }
    if (!before && tierOf(policy, prepared) === "value") return append(prepared.body);
    return inOrder(begin(prepared));
  }

  /** A schema takes its time: the other fields are those of now. */
  function sendChecked(message: RoledMessage, written: Promise<WrittenContent>): Promise<SentMessage> {
    // Told by whoever waits for it below, unless the other fields are refused before.
    written.catch(() => undefined);
    const { content: _, ...fields } = structuredClone(prepare(message, { content: null }).body);
    const complete = async (): Promise<PreparedMessage> => withContent(fields, await written);
    const key = fields.idempotencyKey;
    if (key !== undefined && findSent) return sendOnce(findSent, key, complete);
    return inOrder(async () => begin(await complete())());
  }

  /** Looks for the key once every message before is in the lane. */
  function sendOnce(
    find: NonNullable<OutboxOptions["findSent"]>,
    key: string,
    complete: () => PreparedMessage | Promise<PreparedMessage>,
  ): Promise<SentMessage> {
    return inOrder(async () => (await find(key)) ?? begin(await complete())());
  }

  return {
    send(message) {
      try {
        return send(message);
      } catch (failure) {
        return Promise.reject(failure);
      }
    },
  };
}

/** What an entry rests on comes first wherever it is folded, and says which key of a view it belongs to. */
function parentsOf({ parent, sources }: MessageBody): readonly string[] {
  if (parent === undefined && !sources) return noParents;
  const parents = new Set(sources);
  if (parent !== undefined && parseEntryId(parent)) parents.add(parent);
  return [...parents];
}

function tierOf(policy: PolicyManager, { body: { type }, bytes, contentBytes }: PreparedMessage): Tier {
  if (!bytes) return policy.choose(type, contentBytes);
  if (policy.policyFor(type).kind !== "always-value") return "reference";
  throw invalidMessage("content", `messages of type ${type} travel by value, and bytes can't: send JSON`);
}
