const WIDTH = 30;

/** A bar on standard error, drawn over itself on a terminal and a line for each tenth elsewhere. */
export class Progress {
  readonly #title: string;
  readonly #total: number;
  #tenth = -1;

  constructor(title: string, total: number) {
    this.#title = title;
    this.#total = total;
  }

  show(done: number): void {
    const share = Math.min(1, done / this.#total);
    const filled = Math.round(share * WIDTH);
    const line = `${this.#title} [${'#'.repeat(filled)}${'.'.repeat(WIDTH - filled)}] ${Math.floor(share * 100)} %`;
    if (process.stderr.isTTY) {
      process.stderr.write(`\r${line}${share === 1 ? '\n' : ''}`);
    } else if (Math.floor(share * 10) > this.#tenth) {
      this.#tenth = Math.floor(share * 10);
      process.stderr.write(`${line}\n`);
    }
  }
}
