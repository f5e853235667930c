import {
  createRelay,
  MetricsObject,
  type RelayBindings,
  RoomObject as Room,
  type RoomObjectContext,
} from "../../../src/edge/index.ts";
import { controlChannel, decodeControl, decodeFrame } from "../../../src/protocol/index.ts";
import { type Breakage, brokenStorage } from "./broken-storage.ts";
import { createFailPoints } from "./fail-points.ts";
import { failingStorage, withMethods } from "./failing-storage.ts";

// The relay as it is, in a process that can be told where to stand still: `/fail-points` arms and counts.

interface Bindings extends RelayBindings {
  BREAKAGE?: Breakage;
  /** The step to stand still at, from the beginning. */
  ARMED?: string;
}

const points = createFailPoints();
let isArmed = false;
const relay = createRelay();

/** Room and Worker share one global scope, and so one list of points. */
const send = WebSocket.prototype.send;
WebSocket.prototype.send = function (this: WebSocket, bytes: Uint8Array<ArrayBuffer>) {
  const content = contentOf(bytes);
  points.reach(`sends ${content}`);
  send.call(this, bytes);
  points.reach(`sent ${content}`);
};

/** What a frame is sent for: the most telling of its messages. */
function contentOf(bytes: Uint8Array): string {
  try {
    const types = decodeFrame(bytes).map(({ channel, payload }) =>
      channel === controlChannel ? decodeControl(payload).type : "update",
    );
    const telling = ["welcome", "acknowledge", "refuse", "update", "presences"] as const;
    return telling.find((type) => types.includes(type)) ?? types[0] ?? "nothing";
  } catch {
    return "stock message";
  }
}

export { MetricsObject };

export class RoomObject extends Room {
  private readonly real: RoomObjectContext;

  constructor(context: RoomObjectContext, env: Bindings) {
    const driver = env.BREAKAGE ? brokenStorage(context.storage, env.BREAKAGE) : context.storage;
    if (env.ARMED && !isArmed) points.arm(env.ARMED, 1);
    isArmed = true;
    const leave = points.enter("waking");
    points.reach("begins");
    super(withMethods(context, { storage: failingStorage(driver, points) }), env);
    points.reach("ends");
    leave();
    this.real = context;
  }

  override fetch(request: Request): Response | Promise<Response> {
    return this.event("opening", () => super.fetch(request));
  }

  override webSocketMessage(...message: Parameters<Room["webSocketMessage"]>): void {
    this.event("message", () => super.webSocketMessage(...message));
  }

  override webSocketClose(...closing: Parameters<Room["webSocketClose"]>): void {
    this.event("close", () => super.webSocketClose(...closing));
  }

  override alarm(): void {
    this.event("alarm", () => super.alarm());
  }

  private event<T>(name: string, serve: () => T): T {
    const result = points.during(name, () => {
      points.reach("begins");
      const served = serve();
      points.reach("ends");
      return served;
    });
    void this.afterwards(name);
    return result;
  }

  /** Once what the event wrote is on disk, and once more after the runtime could send. */
  private async afterwards(name: string): Promise<void> {
    await (this.real.storage as unknown as { sync(): Promise<void> }).sync();
    points.during(name, () => points.reach("on disk"));
    await new Promise((resolve) => setTimeout(resolve, 0));
    points.during(name, () => points.reach("a moment later"));
  }
}

export default {
  async fetch(request: Request, env: Bindings): Promise<Response> {
    const url = new URL(request.url);
    if (url.pathname !== "/fail-points") return relay.fetch(request, env);
    const counts = points.counts();
    const step = url.searchParams.get("step");
    if (step !== null) points.arm(step, Number(url.searchParams.get("hits") ?? 1));
    return Response.json(counts);
  },
};
