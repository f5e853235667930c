import type { Message } from "flockstate";
import { datasetType, readDataset } from "../flock/dataset.ts";
import { readAgentName } from "../flock/names.ts";
import { readTask } from "../flock/task.ts";
import { formatBytes } from "../report/format.ts";

/** What a message is called on the page. */
export function typeLabel(type: string): string {
  if (type === datasetType) return "Data set";
  const words = type.toLowerCase().replaceAll("_", " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** The family of a message's colour. */
export function typeFamily(type: string): "data" | "request" | "result" | "trouble" | "other" {
  if (type === datasetType) return "data";
  if (type === "TASK_REQUEST") return "request";
  if (type === "TASK_RESULT") return "result";
  return type === "ERROR" ? "trouble" : "other";
}

/** An agent's name as people read it: `analyst k3f9`. */
export function shortName(name: string): string {
  const parts = readAgentName(name);
  return parts === undefined ? name : `${parts.role} ${parts.suffix}`;
}

/** Where a message goes: an agent's short name, or `#topic`. */
export function destination({ to, topic }: Pick<Message, "to" | "topic">): string {
  return to === undefined ? `#${topic ?? ""}` : shortName(to);
}

/** What a message is about, in a few words. */
export function gist(message: Message): string {
  const dataset = readDataset(message);
  if (dataset !== undefined) return dataset.name;
  const task = message.type === "TASK_REQUEST" ? readTask(message.content) : undefined;
  if (task !== undefined) return task.kind === "summary" ? "sum it up" : task.column;
  const { content } = message;
  if (typeof content !== "object" || content === null || Array.isArray(content)) return "";
  const [column, found, problem] = ["column", "found", "message"].map((key): unknown =>
    Reflect.get(content, key),
  );
  return [column, found, problem].filter((part) => typeof part === "string").join(": ");
}

/** How a message's content travels: inside it, or as the hash of bytes that are somewhere else. */
export function carriage({ reference, sizeBytes }: Message): { kind: "reference" | "value"; label: string } {
  return reference === undefined
    ? { kind: "value", label: `value ${formatBytes(sizeBytes)}` }
    : { kind: "reference", label: `reference ${formatBytes(reference.size)}` };
}

/** The first characters of a hash. */
export function shortHash(id: string): string {
  return id.slice(0, 10);
}
