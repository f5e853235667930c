import { connect, createServer } from "node:net";

// A name may resolve to either family, and a listener on one alone would still answer some callers.
const loopbacks = ["127.0.0.1", "::1"];

/**
 * Tells whether anything accepts connections on a port of this machine.
 *
 * @param {number} port
 * @returns {Promise<boolean>}
 */
export async function isPortTaken(port) {
  const answers = await Promise.all(loopbacks.map((host) => accepts(host, port)));
  return answers.includes(true);
}

/**
 * Finds a port of this machine that nothing listens on.
 *
 * @returns {Promise<number>}
 */
export function findFreePort() {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
    });
  });
}

/**
 * @param {string} host
 * @param {number} port
 * @returns {Promise<boolean>}
 */
function accepts(host, port) {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}
