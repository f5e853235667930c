import * as z from "zod/mini";
import { fromUtf8, parseWriterId, toUtf8 } from "../base/index.ts";
import { isJson, type Json, parseJson } from "./json.ts";
import { maxSignalBytes } from "./limits.ts";

const writer = z.string().check(z.refine((id) => parseWriterId(id) !== undefined));

/** What the bytes of a replica's signal are, as UTF-8 of JSON. Who sent them is the relay's word, or the tab's. */
const signalSchema = z.object({ from: writer, to: writer, body: z.custom<Json>(isJson) });

/** From one open writer to another. */
export type SignalEnvelope = z.infer<typeof signalSchema>;

/** The bytes of a signal; undefined where its body is no plain JSON, nests past 31 levels, or is past what a signal holds. */
export function encodeSignal({ from, to, body }: SignalEnvelope): Uint8Array | undefined {
  const envelope = { from, to, body };
  if (!isJson(envelope)) return undefined;
  const bytes = toUtf8(JSON.stringify(envelope));
  return bytes.length <= maxSignalBytes ? bytes : undefined;
}

/** Reads the bytes of a signal, from whomever they are; undefined where they are none. */
export function decodeSignal(bytes: Uint8Array): SignalEnvelope | undefined {
  if (bytes.length > maxSignalBytes) return undefined;
  let text: string;
  try {
    text = fromUtf8(bytes);
  } catch {
    // Others may say what they like: what is no text is no signal.
    return undefined;
  }
  const parsed = z.safeParse(signalSchema, parseJson(text));
  return parsed.success ? parsed.data : undefined;
}
