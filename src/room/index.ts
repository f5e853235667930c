/**
 * Owns the waist of the library: a room, its agents and its roster, put together from documents, messages and
 * references. Refuses features: they open on a room from folders of their own.
 */
export type { Agent, OnMessageOptions } from "./agent.ts";
export type { HistoryFilter, HistoryOptions, HistoryRecord } from "./history.ts";
export type { HistoryCursor } from "./history-order.ts";
export type { MessageStart } from "./message-start.ts";
export type { Moment } from "./moment.ts";
export type { RoomPlatform } from "./platform.ts";
export type { ReplayedRecord, ReplayOptions } from "./replay.ts";
export { openRoom, type Room, type RoomOptions, type RoomReferences, type RoomStatus } from "./room.ts";
export type { AgentInfo } from "./roster.ts";
export type { StorageManagerPort, StorageQuota } from "./storage.ts";
