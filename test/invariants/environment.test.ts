import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ENVIRONMENT_KEYS } from '../../src/server/config/environment.ts';

const read = (name: string) => readFileSync(resolve(import.meta.dirname, '../..', name), 'utf8');
const names = (text: string, pattern: RegExp) =>
  [...text.matchAll(pattern)].map((match) => match[1] ?? '').sort();
const keys = [...ENVIRONMENT_KEYS].sort();

describe('the variables that are read', () => {
  it('are those of the README’s table, each in a row of its own', () => {
    expect(names(read('README.md'), /^\| `([A-Z][A-Z_]*)` +\|/gm)).toEqual(keys);
  });

  it('are those of .env.example, each once, set or commented out', () => {
    expect(names(read('.env.example'), /^(?:# ?)?([A-Z][A-Z_]*)=/gm)).toEqual(keys);
  });
});
