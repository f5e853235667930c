import { WebsocketProvider } from "y-websocket";
import * as Y from "yjs";
import { createGuard } from "../../src/crdt/shared/guard.ts";
import {
  creditEveryBytes,
  isResync,
  parseDocumentName,
  sharedName,
  sliceUpdate,
} from "../../src/protocol/index.ts";
import { grantOf } from "../edge-core/room-harness.ts";
import { createFrameReader, frameOf, type Item, joinFrame, updateFrame } from "../edge-core/wire.ts";
import { createEditor, remote } from "../protocol/gate/editing.ts";
import type { Random } from "../protocol/gate/random.ts";
import type { Connection, StockNetwork } from "./stock-network.ts";

/** Somebody who edits the room's main shared document, through one kind of client. */
export interface EditingClient {
  readonly name: string;
  readonly doc: Y.Doc;
  edit(random: Random): void;
  /** Sends what an honest client may: what it has not sent, merged or not, or something again. */
  send(random: Random): void;
  /** Sends what it has not sent. */
  flush(): void;
  connect(): void;
  disconnect(): void;
  /** The network breaks. */
  cut(): void;
  /** Whether it is connected and has what the relay had then. */
  readonly synced: boolean;
  /** Refusals that asked for the missing or surplus part, where the client can see them. */
  readonly resyncs: number;
  /** What must not happen to an honest client. */
  readonly complaints: readonly string[];
  close(): void;
}

/** Who edits: one Yjs client of one principal. */
export interface Author {
  principal: string;
  client: number;
}

type Polyfill = NonNullable<
  NonNullable<ConstructorParameters<typeof WebsocketProvider>[3]>["WebSocketPolyfill"]
>;

type Handler<T> = ((event: T) => void) | null;

/** The part of the WebSocket class that y-websocket uses, over a network that is moved by hand. */
function socketClass(
  network: Pick<StockNetwork, "connect">,
  principal: string,
  opened: (connection: Connection) => void,
) {
  return class {
    readonly OPEN = 1;
    readyState = 0;
    binaryType = "arraybuffer";
    onopen: Handler<unknown> = null;
    onmessage: Handler<{ data: Uint8Array }> = null;
    onerror: Handler<unknown> = null;
    onclose: Handler<{ code: number; reason: string }> = null;
    readonly #connection: Connection;

    constructor() {
      this.#connection = network.connect(
        { grant: grantOf(principal), document: sharedName() },
        {
          onOpen: () => {
            this.readyState = 1;
            this.onopen?.({});
          },
          onMessage: (data) => this.onmessage?.({ data }),
          onClose: (code, reason) => {
            this.readyState = 3;
            this.onclose?.({ code, reason });
          },
        },
      );
      opened(this.#connection);
    }

    send(bytes: Uint8Array): void {
      this.#connection.send(bytes);
    }

    close(): void {
      this.readyState = 3;
      this.#connection.close();
    }
  } as unknown as Polyfill;
}

/** Creates a client that is y-websocket's own provider, as it comes. Its timers are the process's. */
export function createStockClient(
  network: Pick<StockNetwork, "connect">,
  { principal, client }: Author,
  editor = createEditor(client),
): EditingClient & { readonly provider: WebsocketProvider } {
  let connection: Connection | undefined;
  const complaints: string[] = [];
  const provider = new WebsocketProvider("ws://relay.test", sharedName(), editor.doc, {
    WebSocketPolyfill: socketClass(network, principal, (opened) => {
      connection = opened;
    }),
    disableBc: true,
    connect: false,
    maxBackoffTime: 50,
  });
  provider.on("closed", ({ code, reason }) =>
    complaints.push(`stock ${client} was closed: ${code} ${reason}`),
  );
  return {
    name: `stock ${client}`,
    provider,
    doc: editor.doc,
    edit: (random) => editor.edit(random),
    // The provider sends every edit at once.
    send() {},
    flush() {},
    connect: () => provider.connect(),
    disconnect: () => provider.disconnect(),
    cut: () => connection?.cut(),
    get synced() {
      return provider.synced;
    },
    resyncs: 0,
    complaints,
    close() {
      provider.destroy();
      provider.awareness.destroy();
    },
  };
}

/** Creates a client that speaks the room socket, behind our clients' guard. */
export function createRoomClient(network: StockNetwork, { principal, client }: Author): EditingClient {
  const name = parseDocumentName(sharedName());
  const editor = createEditor(client);
  const { doc } = editor;
  const guard = createGuard(name, doc);
  const complaints: string[] = [];
  const complain = (what: string): void => void complaints.push(`room client ${client}: ${what}`);
  let connection: Connection | undefined;
  let read = createFrameReader();
  let live = false;
  let wanted = false;
  let epoch = "";
  let sequence = 0;
  /** A gap is asked for again only once the whole join has filled it, as `documents.ts` does. */
  let gap: "none" | "asked" | "unfilled" = "none";
  let taken = 0;
  let credited = 0;
  let marks = 0;
  let resyncs = 0;
  let outbox: Uint8Array[] = [];
  let stale = Y.encodeStateVector(doc);
  doc.on("update", (update: Uint8Array, origin: unknown) => {
    if (origin !== remote) outbox.push(update);
  });

  function upload(updates: readonly Uint8Array[]): void {
    const slices = updates.flatMap((update) => sliceUpdate(update));
    if (live && slices.length > 0) connection?.send(updateFrame(name.name, slices, ++marks));
  }

  /** What the relay lacks; a difference from its clocks, and every deletion. */
  function uploadMissing(stateVector: Uint8Array): void {
    outbox = [];
    upload([Y.encodeStateAsUpdate(doc, stateVector)]);
  }

  function open(): void {
    read = createFrameReader();
    live = false;
    taken = 0;
    credited = 0;
    connection = network.connect(
      { grant: grantOf(principal) },
      {
        onOpen: () => connection?.send(joinFrame(epoch, sequence)),
        onMessage: (frame) => {
          taken += frame.length;
          if (taken - credited >= creditEveryBytes) {
            credited = taken;
            connection?.send(frameOf({ type: "credit", bytes: taken }));
          }
          for (const item of read(frame)) if (connection?.open) take(item);
        },
        onClose: () => {
          live = false;
          connection = undefined;
          if (wanted) open();
        },
      },
    );
  }

  function fillGap(): void {
    if (gap !== "none") {
      gap = "unfilled";
      complain("has a gap that the relay does not fill");
      return;
    }
    gap = "asked";
    connection?.close();
    connection = undefined;
    sequence = 0;
    if (wanted) open();
  }

  function take(item: Item): void {
    switch (item.type) {
      case "welcome":
        if (!item.resumed) sequence = 0;
        epoch = item.epoch;
        break;
      case "update": {
        const received = guard(item.update);
        if (received.result === "applied") Y.applyUpdate(doc, item.update, remote);
        else if (received.result === "gap") fillGap();
        else if (received.result === "refused") complain(`refused what the relay sent: ${received.code}`);
        break;
      }
      case "step1":
        uploadMissing(item.stateVector);
        break;
      case "cursor":
        ({ sequence } = item);
        break;
      case "joined":
        live = true;
        if (gap === "asked") gap = "none";
        // Asks for the relay's clocks: what was written meanwhile follows from them.
        connection?.send(
          frameOf(
            { type: "name", channel: 900, name: name.name },
            { channel: 900, message: { type: "step1", stateVector: Uint8Array.of(0) } },
          ),
        );
        break;
      case "refuse":
        if (isResync(item.code)) resyncs++;
        else complain(`was refused for good: ${item.code} ${item.message}`);
        break;
      case "problem":
        complain(`${item.code} ${item.message}`);
        break;
      default:
        break;
    }
  }

  return {
    name: `room client ${client}`,
    doc,
    complaints,
    edit: (random) => editor.edit(random),
    send(random) {
      const what = random.below(5);
      if (what < 2) upload(outbox.splice(0));
      else if (what === 2 && outbox.length > 0) upload([Y.mergeUpdates(outbox.splice(0))]);
      else if (what === 3) upload([...outbox, ...outbox.splice(0)]);
      else if (what === 4) {
        upload([Y.encodeStateAsUpdate(doc, stale)]);
        stale = Y.encodeStateVector(doc);
      }
    },
    flush: () => upload(outbox.splice(0)),
    connect() {
      wanted = true;
      if (!connection) open();
    },
    disconnect() {
      wanted = false;
      connection?.close();
      connection = undefined;
      live = false;
    },
    cut: () => connection?.cut(),
    get synced() {
      return live;
    },
    get resyncs() {
      return resyncs;
    },
    close() {
      wanted = false;
      connection?.close();
    },
  };
}
