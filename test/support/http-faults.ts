import type { ServerResponse } from 'node:http';

/** Answers instead of the server's own, and is done with it. */
export type Fault = (response: ServerResponse) => void;

const reply =
  (status: number, type: string, body: string, headers: Readonly<Record<string, string>> = {}): Fault =>
  (response) =>
    void response.writeHead(status, { 'Content-Type': type, ...headers }).end(body);

/** An answer of one status, with a JSON body. */
export const jsonReply = (status: number, body: unknown, headers?: Readonly<Record<string, string>>): Fault =>
  reply(status, 'application/json', JSON.stringify(body), headers);

/** How a server fails, apart from what it has to say: none of these may be mistaken for an answer. */
export const HTTP_FAULTS: Readonly<Record<string, Fault>> = {
  'hangs before the headers': () => undefined,
  'hangs in the body': (response) => void response.writeHead(200, { 'Content-Length': '100' }).write('{"a'),
  'drips its body for ever': (response) => {
    response.writeHead(200);
    const timer = setInterval(() => response.write(' '), 50);
    response.on('close', () => clearInterval(timer));
  },
  'drops the connection': (response) => void response.destroy(),
  'drops the connection in the body': (response) =>
    void response.writeHead(200, { 'Content-Length': '100' }).write('{"a', () => response.destroy()),
  'answers 500': jsonReply(500, { errors: ['internal error'], __type: 'InternalError' }),
  'answers 502 with a page': reply(502, 'text/html', '<html>Bad Gateway</html>'),
  'answers with a page': reply(200, 'text/html', '<html>Please log in</html>'),
  'answers with nothing': reply(200, 'application/json', ''),
  'answers null': jsonReply(200, null),
  'answers an empty object': jsonReply(200, {}),
  'answers a list': jsonReply(200, [1]),
  'answers with 1 MB': jsonReply(200, { filler: 'x'.repeat(1024 * 1024) }),
  'answers half a JSON text': reply(200, 'application/json', '{"data":{"plaintext":"AAAA'),
};
