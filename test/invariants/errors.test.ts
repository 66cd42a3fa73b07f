import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { REQUEST_ERROR_CODES, USER_ERROR_CODES } from '../../src/errors.ts';

const docs = readFileSync(resolve(import.meta.dirname, '../../docs/errors.md'), 'utf8');

describe('docs/errors.md', () => {
  it('has a section for every code, and for no other', () => {
    // NOT_FOUND is a code of both kinds: one section, or one in each part.
    const documented = [...docs.matchAll(/^### `([^`]+)`/gm)].map((match) => match[1] ?? '');
    const codes = [...USER_ERROR_CODES, ...REQUEST_ERROR_CODES];
    expect([...new Set(documented)].sort()).toEqual([...new Set(codes)].sort());
  });
});
