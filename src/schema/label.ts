import { builder } from './builder.ts';

interface Label {
  readonly key: string;
  readonly value: string;
}

export const LabelType = builder.objectRef<Label>('Label').implement({
  description: 'A name with a text. It is metadata and not encrypted: never put a secret into it.',
  fields: (t) => ({
    key: t.exposeString('key', { description: 'The name, 1 to 128 characters.' }),
    value: t.exposeString('value', { description: 'The text that goes with the name.' }),
  }),
});

export const LabelInput = builder.inputType('LabelInput', {
  description: 'A name with a text. It is metadata and not encrypted: never put a secret into it.',
  fields: (t) => ({
    key: t.string({ required: true, description: 'The name, 1 to 128 characters, given once in its list.' }),
    value: t.string({
      required: true,
      description: 'The text: at most 256 characters in a label; annotations have 16 KiB in all.',
    }),
  }),
});

/** Stored labels as a list, by key. */
export function labelsOf(stored: Readonly<Record<string, string>>): Label[] {
  return Object.keys(stored)
    .sort()
    .map((key) => ({ key, value: stored[key] ?? '' }));
}
