import type { Message, Reference } from "flockstate";
import * as z from "zod/mini";
import type { Table } from "../data/table.ts";

/** The topic under which planners announce data sets. */
export const datasetTopic = "datasets";
/** The type of a message whose content is a data set; the policy sends it by reference, whatever its size. */
export const datasetType = "dataset";

const metadataSchema = z.object({
  name: z.string(),
  rows: z.int(),
  columns: z.array(z.string()),
});

/** What an announcement says about its data set besides the bytes. */
export type DatasetMetadata = z.infer<typeof metadataSchema>;

/** A data set that was announced in the room. */
export interface Dataset extends DatasetMetadata {
  /** The SHA-256 of its bytes: the same file announced twice is one data set. */
  readonly id: string;
  readonly reference: Reference;
  /** The message that announced it. */
  readonly messageId: string;
  readonly from: string;
  readonly writer: string;
}

/** The metadata under which a table is announced. */
export function describeTable(name: string, table: Table): DatasetMetadata {
  return { name, rows: table.rowCount, columns: table.columns.map((column) => column.name) };
}

/** What an announcement is read from: a message in the room's log, or one that an agent received. */
export type Announcement = Omit<Message, "content">;

/** Reads an announcement; undefined for every other message. */
export function readDataset(message: Announcement): Dataset | undefined {
  if (message.type !== datasetType || message.reference === undefined) return undefined;
  const metadata = metadataSchema.safeParse(message.metadata);
  if (!metadata.success) return undefined;
  const { id: messageId, from, writer, reference } = message;
  return { ...metadata.data, id: reference.id, reference, messageId, from, writer };
}

/** The data sets of a room, oldest first; of several announcements of one data set the first counts. */
export function listDatasets(messages: readonly Message[]): Dataset[] {
  const byId = new Map<string, Dataset>();
  for (const message of messages) {
    const dataset = readDataset(message);
    if (dataset !== undefined && !byId.has(dataset.id)) byId.set(dataset.id, dataset);
  }
  return [...byId.values()];
}
