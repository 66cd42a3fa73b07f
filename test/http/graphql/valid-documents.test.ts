import { parse } from 'graphql';
import { expect, test } from 'vitest';
import { ValidDocuments } from '../../../src/http/graphql/valid-documents.ts';

test('a thousand documents are kept, and those that were used last', () => {
  const documents = new ValidDocuments();
  const document = parse('{ a }');
  const text = (index: number) => `{ a${index} }`;
  for (let index = 0; index < 1_000; index++) documents.keep(text(index), document);
  expect(documents.get(text(0))).toBe(document);
  documents.keep('{ another }', document);
  expect(documents.get(text(0))).toBe(document);
  expect(documents.get(text(1))).toBeUndefined();
  expect(documents.get(text(2))).toBe(document);
});

test('a long document is not kept', () => {
  const documents = new ValidDocuments();
  const long = `{ a } #${'x'.repeat(16_384)}`;
  documents.keep(long, parse('{ a }'));
  expect(documents.get(long)).toBeUndefined();
});

test('together they have a million characters at most', () => {
  const documents = new ValidDocuments();
  const document = parse('{ a }');
  const text = (index: number) => `{ a } #${String(index).padEnd(16_000, 'x')}`;
  for (let index = 0; index < 100; index++) documents.keep(text(index), document);
  const kept = Array.from({ length: 100 }, (_, index) => documents.get(text(index)) !== undefined);
  expect(kept.indexOf(true)).toBe(35);
  expect(kept.slice(35)).not.toContain(false);
});
