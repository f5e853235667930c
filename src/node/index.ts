/**
 * Owns what makes a Node process a durable member of a room: databases, shared documents, references and locks in
 * SQLite files. Refuses browsers, and a driver of its own: the application hands one in.
 */
export type { Durability } from "./connection.ts";
export { createNodePlatform, type NodePlatform, type NodePlatformOptions } from "./platform.ts";
export type { SqliteClass, SqliteConnection, SqliteStatement, SqliteValue } from "./sqlite.ts";
