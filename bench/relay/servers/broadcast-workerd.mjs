/** The least that a relay in workerd can do: each message to everybody else in its room, unread. Its sockets hibernate. */
export class Broadcast {
  constructor(context) {
    this.context = context;
  }

  fetch() {
    const { 0: client, 1: server } = new WebSocketPair();
    this.context.acceptWebSocket(server);
    return new Response(null, { status: 101, webSocket: client });
  }

  webSocketMessage(socket, message) {
    if (typeof message === "string") this.replay(socket, message);
    else if (this.keeps === socket) this.kept = message;
    else this.pass(socket, message);
  }

  webSocketClose(socket) {
    socket.close();
  }

  pass(socket, message) {
    for (const other of this.context.getWebSockets()) if (other !== socket) other.send(message);
  }

  /** `keep`: the next messages of this socket are kept, not passed on. A number: the kept message, so many times. */
  replay(socket, command) {
    if (command === "keep") this.keeps = socket;
    else for (let left = Number(command); left > 0; left--) socket.send(this.kept);
  }
}

/** The least that a durable relay in workerd can do: one row, then as above. */
export class BroadcastWithRow extends Broadcast {
  constructor(context) {
    super(context);
    this.sql = context.storage.sql;
    this.sql.exec("CREATE TABLE IF NOT EXISTS rows (sequence INTEGER PRIMARY KEY, bytes BLOB NOT NULL)");
  }

  pass(socket, message) {
    this.sql.exec("INSERT INTO rows (bytes) VALUES (?)", message);
    super.pass(socket, message);
  }
}

export default {
  fetch(request, env) {
    const [, kind, room] = new URL(request.url).pathname.split("/");
    return (kind === "row" ? env.BROADCAST_WITH_ROW : env.BROADCAST).getByName(room).fetch(request);
  },
};
