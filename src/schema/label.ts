import { builder } from './builder.ts';

interface Label {
  readonly key: string;
  readonly value: string;
}

export const LabelType = builder.objectRef<Label>('Label').implement({
  description: 'A name with a text. It is metadata and is not encrypted: never put a secret in it.',
  fields: (t) => ({
    key: t.exposeString('key', { description: 'The name, of 1 to 128 characters.' }),
    value: t.exposeString('value', { description: 'The text that goes with the name.' }),
  }),
});

export const LabelInput = builder.inputType('LabelInput', {
  description: 'A name with a text. It is metadata and is not encrypted: never put a secret in it.',
  fields: (t) => ({
    key: t.string({
      required: true,
      description: 'The name, of 1 to 128 characters. It may occur only once in its list.',
    }),
    value: t.string({
      required: true,
      description: 'The text. A label has at most 256 characters; annotations have at most 16 KiB in total.',
    }),
  }),
});

/** Stored labels as a list, sorted by key. */
export function labelsOf(stored: Readonly<Record<string, string>>): Label[] {
  return Object.keys(stored)
    .sort()
    .map((key) => ({ key, value: stored[key] ?? '' }));
}
