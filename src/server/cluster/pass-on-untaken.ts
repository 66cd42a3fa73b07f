import type { Worker } from 'node:cluster';

/** Of Node's own messages between a primary and its workers, what is read here. */
interface OwnMessage {
  readonly cmd?: string;
  readonly act?: string;
  readonly seq?: number;
  readonly ack?: number;
}

/** Until what a process had written before its end has been read. */
const LAST_WORDS_MS = 50;

/**
 * Has another worker take the connections that were handed to one which dies before it takes them. Node forgets them: it
 * waits for an answer (`lib/internal/cluster/round_robin_handle.js`), and the client for ever. So the answer "not accepted"
 * is given for the dead, after its last words were read. Where Node words its messages otherwise, this does nothing.
 */
export function passOnUntaken(worker: Worker): void {
  const child = worker.process;
  const untaken = new Set<number>();
  const send = child.send.bind(child) as (...all: unknown[]) => boolean;
  child.send = (...all: unknown[]) => {
    const { cmd, act, seq } = (all[0] ?? {}) as OwnMessage;
    if (cmd === 'NODE_CLUSTER' && act === 'newconn' && seq !== undefined) untaken.add(seq);
    return send(...all);
  };
  child.on('internalMessage', ({ ack }: OwnMessage) => ack !== undefined && untaken.delete(ack));
  child.once('exit', () => {
    setTimeout(() => {
      // With a connection under way Node does not notice by itself that the channel has ended.
      if (child.connected) child.disconnect();
      setImmediate(() => {
        for (const ack of untaken)
          child.emit('internalMessage', { cmd: 'NODE_CLUSTER', ack, accepted: false });
      });
    }, LAST_WORDS_MS);
  });
}
