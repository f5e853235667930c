/** Decodes a file's bytes: UTF-8 or UTF-16 by its mark, else UTF-8, else Windows-1252, which never fails. */
export function decodeText(bytes: Uint8Array): string {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return new TextDecoder("utf-16le").decode(bytes);
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return new TextDecoder("utf-16be").decode(bytes);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    // Bytes that are no UTF-8 come from older spreadsheets, which write Windows-1252.
    return new TextDecoder("windows-1252").decode(bytes);
  }
}
