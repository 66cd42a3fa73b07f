/** What ends an answer that is a stream: the client is gone, or is given up. Most answers are none, and nothing is made for them. */
export class Ending {
  #controller: AbortController | null = null;
  #reason: unknown = undefined;

  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.#reason !== undefined) this.#controller.abort(this.#reason);
    return this.#controller.signal;
  }

  end(reason: unknown): void {
    this.#reason ??= reason;
    this.#controller?.abort(this.#reason);
  }
}
