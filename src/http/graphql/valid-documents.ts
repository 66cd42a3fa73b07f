import type { DocumentNode } from 'graphql';

const MAX_DOCUMENTS = 1_000;
const MAX_CHARACTERS = 16_384;
const MAX_CHARACTERS_TOGETHER = 1_048_576;

/**
 * Documents that were parsed and found valid, by their text: 1,000 at most, of 1 Mi characters together, the least recently
 * used leave, and none of more than 16,384 characters. What is not valid is never kept: it may hold a value, where it must not.
 */
export class ValidDocuments {
  /** Least recently used first. */
  readonly #kept = new Map<string, DocumentNode>();
  #characters = 0;

  get(text: string): DocumentNode | undefined {
    const document = this.#kept.get(text);
    if (document) {
      this.#kept.delete(text);
      this.#kept.set(text, document);
    }
    return document;
  }

  keep(text: string, document: DocumentNode): void {
    if (text.length > MAX_CHARACTERS || this.#kept.has(text)) return;
    this.#kept.set(text, document);
    this.#characters += text.length;
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size <= MAX_DOCUMENTS && this.#characters <= MAX_CHARACTERS_TOGETHER) break;
      this.#kept.delete(oldest);
      this.#characters -= oldest.length;
    }
  }
}
