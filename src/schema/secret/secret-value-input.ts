import { builder } from '../builder.ts';

const SecretKeyValueInput = builder.inputType('SecretKeyValueInput', {
  description: 'A named entry of a KEY_VALUE.',
  fields: (t) => ({
    key: t.string({
      required: true,
      description:
        'The name of the entry, 1 to 128 of `A-Z a-z 0-9 _ . -`, given once. Names are not encrypted.',
    }),
    value: t.field({
      type: 'SecretData',
      required: true,
      description: "The entry's bytes, which may be none.",
    }),
  }),
});

const RandomBytesInput = builder.inputType('RandomBytesInput', {
  description: 'Random bytes of the operating system.',
  fields: (t) => ({ byteLength: t.int({ required: true, description: 'How many bytes, 16 to 1024.' }) }),
});

const PasswordInput = builder.inputType('PasswordInput', {
  description: 'A random password, every character equally likely among those that are allowed.',
  fields: (t) => ({
    length: t.int({ required: true, description: 'How many characters, 8 to 1024.' }),
    uppercase: t.boolean({ required: true, defaultValue: true, description: 'Whether `A-Z` are allowed.' }),
    lowercase: t.boolean({ required: true, defaultValue: true, description: 'Whether `a-z` are allowed.' }),
    digits: t.boolean({ required: true, defaultValue: true, description: 'Whether `0-9` are allowed.' }),
    symbols: t.boolean({
      required: true,
      defaultValue: true,
      description: 'Whether punctuation marks of ASCII are allowed.',
    }),
    excludeCharacters: t.string({
      description: 'Characters that must not occur. At least 2 others are left.',
    }),
    requireEachType: t.boolean({
      required: true,
      defaultValue: true,
      description: 'Whether each allowed type of character occurs at least once.',
    }),
  }),
});

const GenerateSecretInput = builder.inputType('GenerateSecretInput', {
  description: 'How the service generates the value, which nobody sees until it is read. Give exactly one.',
  isOneOf: true,
  fields: (t) => ({
    randomBytes: t.field({ type: RandomBytesInput, description: 'Random bytes.' }),
    password: t.field({ type: PasswordInput, description: 'A random password.' }),
  }),
});

export const SecretValueInput = builder.inputType('SecretValueInput', {
  description: 'A value, or how to make it. Give exactly one.',
  isOneOf: true,
  fields: (t) => ({
    secretString: t.field({ type: 'SecretData', description: 'A STRING of 1 byte to 64 KiB.' }),
    secretKeyValues: t.field({
      type: [SecretKeyValueInput],
      description: 'A KEY_VALUE of 1 to 256 entries, 64 KiB in all.',
    }),
    generateSecret: t.field({
      type: GenerateSecretInput,
      description: 'A STRING that the service generates.',
    }),
  }),
});
