/** An HTTP/1.1 answer: what the load needs of it. Bodies here are ASCII. */
export interface Answer {
  readonly status: number;
  readonly body: string;
}

const HEAD_END = '\r\n\r\n';

/** Reads answers off a keep-alive connection on which one request is under way at a time. */
export class ResponseReader {
  #received = '';

  /** The answer, once it is there in full. */
  read(chunk: Buffer): Answer | null {
    this.#received += chunk.toString('latin1');
    const headEnd = this.#received.indexOf(HEAD_END);
    if (headEnd < 0) return null;
    const head = this.#received.slice(0, headEnd);
    const rest = this.#received.slice(headEnd + HEAD_END.length);
    const length = /\ncontent-length: *(\d+)/i.exec(head)?.[1];
    const body = length === undefined ? unchunk(rest) : rest.length < Number(length) ? null : rest;
    if (body === null) return null;
    this.#received = '';
    return { status: Number(head.slice(9, 12)), body };
  }
}

/** RFC 9112, section 7.1; null until the last chunk is there. */
function unchunk(text: string): string | null {
  let body = '';
  for (let at = 0; ;) {
    const lineEnd = text.indexOf('\r\n', at);
    if (lineEnd < 0) return null;
    const size = Number.parseInt(text.slice(at, lineEnd), 16);
    const start = lineEnd + 2;
    if (text.length < start + size + 2) return null;
    if (size === 0) return body;
    body += text.slice(start, start + size);
    at = start + size + 2;
  }
}
