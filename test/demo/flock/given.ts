import type { AgentInfo, Json, ListedMessage } from "flockstate";
import { type Dataset, readDataset } from "../../../demo/src/flock/dataset.ts";

/** A message as the room lists it. */
export function givenMessage(
  fields: Pick<ListedMessage, "id" | "type"> & Partial<ListedMessage>,
): ListedMessage {
  const writer = fields.writer ?? "anon.planner-aaaa.x";
  return {
    from: writer.split(".").slice(0, 2).join("."),
    writer,
    sentAt: 0,
    sizeBytes: 10,
    schemaVersion: "1.0",
    stage: "relayed",
    ...fields,
  };
}

/** The announcement of a data set with these columns. */
export function givenAnnouncement(columns: string[], id = "f".repeat(64)): ListedMessage {
  return givenMessage({
    id: `announcement-${id.slice(0, 4)}`,
    type: "dataset",
    topic: "datasets",
    reference: { id, size: 100, contentType: "application/octet-stream" },
    metadata: { name: "given.csv", rows: 3, columns },
  });
}

/** The data set with these columns. */
export function givenDataset(columns: string[]): Dataset {
  const dataset = readDataset(givenAnnouncement(columns));
  if (dataset === undefined) throw new Error("The announcement was not read.");
  return dataset;
}

/** The request for a task, as the planner sent it. */
export function givenRequest(id: string, to: string, task: Json, sentAt = 0): ListedMessage {
  return givenMessage({ id, type: "TASK_REQUEST", to, content: task, sentAt });
}

/** An analyst in the roster. */
export function givenAnalyst(name: string, online = true): AgentInfo {
  return {
    writer: `anon.${name}.x`,
    name,
    principal: "anon",
    capabilities: ["analyse"],
    online,
    here: false,
  };
}
