/** The largest frame of the room socket, and the largest message of a stock client, in bytes. */
export const maxFrameBytes = 1024 * 1024;
/** Room for channel, length, name and mark around one update that fills a frame. */
export const frameOverheadBytes = 1024;
/** The largest single update, in bytes: what fits a frame with its name and mark. */
export const maxUpdateBytes = maxFrameBytes - frameOverheadBytes;
/** The largest encoded entry of a lane, in bytes; larger content goes by reference. */
export const maxEntryBytes = 128 * 1024;
/** A page is full at this many entries ... */
export const maxPageEntries = 1024;
/** ... or this many bytes of batches, whichever comes first. */
export const maxPageBytes = 256 * 1024;
/** The largest presence state, as UTF-8 bytes of its JSON. */
export const maxPresenceBytes = 4 * 1024;
/** The largest signal, in bytes. */
export const maxSignalBytes = 16 * 1024;
/** The largest reference that one request may carry, in bytes. */
export const maxReferenceBytes = 32 * 1024 * 1024;
/** The longest token, in characters: what fits the header that carries it. */
export const maxTokenBytes = 4 * 1024;
/** A replica says what it has taken at least each time that this many bytes have come ... */
export const creditEveryBytes = 128 * 1024;
/** ... and does not keep more than this unsaid, in bytes, ... */
export const creditUnsaidBytes = 8 * 1024;
/** ... for longer than this, in milliseconds. */
export const creditWithinMs = 250;
