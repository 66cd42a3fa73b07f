/** The inspector of a Node process, over the Chrome DevTools protocol. */
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';

/** https://chromedevtools.github.io/devtools-protocol/v8/Profiler/#type-Profile; times in microseconds. */
export interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: {
      readonly functionName: string;
      readonly url: string;
      /** From 0. */
      readonly lineNumber: number;
    };
    readonly children?: readonly number[];
  }[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

const SAMPLING_MICROSECONDS = 500;

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** Profiles the process that was started with `--inspect=127.0.0.1:<port>` while `work` runs. */
export async function profileWhile<T>(
  port: number,
  work: () => Promise<T>,
): Promise<{ readonly profile: CpuProfile; readonly result: T }> {
  const targets = (await (await fetch(`http://127.0.0.1:${port}/json/list`)).json()) as {
    webSocketDebuggerUrl: string;
  }[];
  const socket = new WebSocket(targets[0]?.webSocketDebuggerUrl ?? '');
  await once(socket, 'open');
  let lastId = 0;
  const call = (method: string, params: object = {}) =>
    new Promise<unknown>((resolve, reject) => {
      const id = ++lastId;
      const take = ({ data }: MessageEvent) => {
        const answer = JSON.parse(String(data)) as { id?: number; result?: unknown; error?: object };
        if (answer.id !== id) return;
        socket.removeEventListener('message', take);
        if (answer.error) reject(new Error(`The inspector refused ${method}.`));
        else resolve(answer.result);
      };
      socket.addEventListener('message', take);
      socket.addEventListener('close', () => reject(new Error('The service ended.')));
      socket.send(JSON.stringify({ id, method, params }));
    });
  try {
    await call('Profiler.enable');
    await call('Profiler.setSamplingInterval', { interval: SAMPLING_MICROSECONDS });
    await call('Profiler.start');
    const result = await work();
    const { profile } = (await call('Profiler.stop')) as { profile: CpuProfile };
    return { profile, result };
  } finally {
    socket.close();
  }
}
