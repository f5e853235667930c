import type { Message } from "flockstate";
import { h } from "./dom.ts";

const maxContentCharacters = 4_000;

/** Everything a message says, for those who want to know. */
export function messageDetails(message: Message): HTMLElement {
  const { id, type, from, to, topic, writer, sentAt, parent, conversation, confidence, metadata } = message;
  const { reference, content, sizeBytes } = message;
  const facts: [string, string | undefined][] = [
    ["id", id],
    ["type", type],
    ["from", from],
    ["writer", writer],
    ["to", to],
    ["topic", topic],
    ["sent", new Date(sentAt).toISOString().replace("T", " ").replace("Z", " UTC")],
    ["parent", parent],
    ["conversation", conversation],
    ["confidence", confidence?.toFixed(2)],
    ["size", `${sizeBytes} bytes`],
    ["reference", reference && `sha256 ${reference.id}\n${reference.size} bytes, ${reference.contentType}`],
    ["metadata", metadata && json(metadata)],
    ["content", content === undefined ? undefined : json(content)],
  ];
  return h(
    "dl",
    { class: "details" },
    ...facts.flatMap(([name, value]) =>
      value === undefined ? [] : [h("dt", {}, name), h("dd", {}, h("code", {}, value))],
    ),
  );
}

function json(value: unknown): string {
  const text = JSON.stringify(value, undefined, 1);
  return text.length <= maxContentCharacters ? text : `${text.slice(0, maxContentCharacters)} …`;
}
