import { WebSocketServer } from "ws";

// The least that a relay in Node can do: each message to everybody else in its room, unread.
const rooms = new Map();
const server = new WebSocketServer({ host: "127.0.0.1", port: Number(process.env["PORT"]) });
server.on("connection", (socket, request) => {
  const room = rooms.get(request.url) ?? { sockets: new Set(), kept: undefined };
  rooms.set(request.url, room);
  room.sockets.add(socket);
  socket.on("message", (message, isBinary) => {
    if (!isBinary) replay(room, socket, String(message));
    else if (room.keeps === socket) room.kept = message;
    else for (const other of room.sockets) if (other !== socket) other.send(message, { binary: true });
  });
  socket.on("close", () => room.sockets.delete(socket));
});

/** `keep`: the next messages of this socket are kept, not passed on. A number: the kept message, so many times. */
function replay(room, socket, command) {
  if (command === "keep") room.keeps = socket;
  else for (let left = Number(command); left > 0; left--) socket.send(room.kept, { binary: true });
}
