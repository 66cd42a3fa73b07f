import type { Server } from 'node:http';
import type { Socket } from 'node:net';

/**
 * Watches the connections of a server. Returns what closes those on which nothing was ever sent: browsers and other clients
 * open some in advance, Node does not count them as idle, and each would hold up a stop until its client gives it up.
 */
export function watchUnusedConnections(server: Server): () => void {
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  return () => {
    for (const socket of sockets) if (socket.bytesRead === 0) socket.destroy();
  };
}
