import { createStore } from "../../src/base/index.ts";
import type { LinkState } from "../../src/crdt/transports/port.ts";
import type { RelayLink } from "../../src/crdt/transports/relay-link.ts";
import type { UploadOutcome } from "../../src/crdt/transports/uploads.ts";
import {
  type DocumentMessage,
  decodeDocumentMessage,
  type TokenScope,
  tokenScopes,
} from "../../src/protocol/index.ts";
import { settle } from "./fake-relay.ts";

/** One upload that waits for the test's answer. */
export interface ScriptedUpload {
  name: string;
  message: DocumentMessage;
  update: Uint8Array;
  answer(outcome: UploadOutcome): Promise<void>;
}

/** A link that is online when the test says so, and whose relay answers by hand. */
export interface ScriptedLink extends RelayLink {
  readonly uploads: ScriptedUpload[];
  readonly sent: { name: string; message: DocumentMessage }[];
  /** Every one at first. */
  scopes: readonly TokenScope[];
  online(is: boolean): void;
}

export const acknowledged: UploadOutcome = { kind: "acknowledged" };
export const refused = (code: string): UploadOutcome => ({
  kind: "refused",
  code,
  message: "so says the relay",
});

export function createScriptedLink({ answer }: { answer?: UploadOutcome } = {}): ScriptedLink {
  const status = createStore<LinkState>("offline");
  const uploads: ScriptedUpload[] = [];
  const sent: ScriptedLink["sent"] = [];
  const link: ScriptedLink = {
    status,
    halted: createStore(false),
    scopes: tokenScopes,
    allows: (scope) => link.scopes.includes(scope),
    uploads,
    sent,
    online: (is) => status.set(is ? "online" : "offline"),
    connect() {},
    disconnect() {},
    rejoin() {},
    announce() {},
    signal: () => false,
    send: (name, payload) => void sent.push({ name, message: decodeDocumentMessage(payload) }),
    upload(name, payload) {
      const message = decodeDocumentMessage(payload);
      if (message.type !== "update" && message.type !== "step2")
        throw new Error(`${message.type} is no upload.`);
      return new Promise((resolve) => {
        uploads.push({
          name,
          message,
          update: message.update,
          answer(outcome) {
            resolve(outcome);
            return settle();
          },
        });
        if (answer) resolve(answer);
      });
    },
  };
  return link;
}
