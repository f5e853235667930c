import type { OpenTabChannel } from "./port.ts";

/** Opens channels over the platform's BroadcastChannel. */
export const openBroadcastChannel: OpenTabChannel = (name, onMessage) => {
  const channel = new BroadcastChannel(name);
  channel.onmessage = (event: MessageEvent<unknown>) => onMessage(event.data);
  // In Node an open channel keeps the process alive.
  if ("unref" in channel && typeof channel.unref === "function") channel.unref();
  return {
    post: (message) => channel.postMessage(message),
    close: () => channel.close(),
  };
};
