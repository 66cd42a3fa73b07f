import { readFileSync } from 'node:fs';
import type { Pkcs11Config } from './config.ts';

/**
 * The PIN, and whether it may be tried. A token locks itself after a few wrong ones, so a PIN that it refused is not
 * sent again: a process that is started over and over would lock the token within a second.
 */
export class Pkcs11Pin {
  readonly #config: Pick<Pkcs11Config, 'name' | 'pin' | 'pinFile'>;
  #refused: string | null = null;

  constructor(config: Pick<Pkcs11Config, 'name' | 'pin' | 'pinFile'>) {
    this.#config = config;
  }

  /** Throws when there is none, or none but the refused one. */
  read(): string {
    const pin = this.#config.pin ?? this.#readFile();
    if (pin === this.#refused) {
      throw new Error(
        `The token of the KMS provider ${this.#config.name} refused the PIN; it is not tried again, so that the token ` +
          'does not lock itself. Put the right one into pinFile, or start again with the right pin.',
      );
    }
    return pin;
  }

  refuse(pin: string): void {
    this.#refused = pin;
  }

  #readFile(): string {
    let pin: string;
    try {
      pin = readFileSync(this.#config.pinFile ?? '', 'utf8').replace(/\r?\n$/, '');
    } catch {
      throw new Error(`The pinFile of the KMS provider ${this.#config.name} cannot be read`);
    }
    if (pin === '') throw new Error(`The pinFile of the KMS provider ${this.#config.name} is empty`);
    return pin;
  }
}
