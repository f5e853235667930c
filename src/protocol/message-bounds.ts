/** What the fields of a message may be: shared by its schema and by the check that stands for it. */
export const typePattern = /^[A-Za-z][A-Za-z0-9_.-]{0,63}$/;
export const topicPattern = /^[A-Za-z0-9_-]{1,64}(\.[A-Za-z0-9_-]{1,64}){0,7}$/;
/** `planner` for every principal's planner, `alice.planner`, a writer `alice.planner.x7`, or `*` for every agent. */
export const addresseePattern = /^(\*|[A-Za-z0-9_-]{1,64}(\.[A-Za-z0-9_-]{1,64}){0,2})$/;
export const labelPattern = /^[A-Za-z0-9_.:-]{1,64}$/;
/** What a later 1.x wrote is read, without the fields that are not known here. */
export const messageVersionPattern = /^1\.(0|[1-9][0-9]{0,12})$/;

/** Priorities are 0 to 9, the highest first; a message without one has the middle. */
export const defaultPriority = 4;
export const maxPriority = 9;
/** Entries that one message may say it was derived from. */
export const maxSources = 32;
/** Labels that one message may carry. */
export const maxLabels = 16;
export const maxSuggestedActions = 1000;
/** In characters: an entry's id fits, and so do names of the application's own. */
export const maxParentLength = 300;
export const maxConversationLength = 300;
export const maxKeyLength = 200;
