import { builder } from '../builder.ts';

const SecretKeyValueInput = builder.inputType('SecretKeyValueInput', {
  description: 'A named entry of a KEY_VALUE.',
  fields: (t) => ({
    key: t.string({
      required: true,
      description:
        'The name of the entry: 1 to 128 characters of `A-Z a-z 0-9 _ . -`, given once. Names are not encrypted.',
    }),
    value: t.field({
      type: 'SecretData',
      required: true,
      description: 'The bytes of the entry. There may be none.',
    }),
  }),
});

const RandomBytesInput = builder.inputType('RandomBytesInput', {
  description: 'Random bytes from the operating system.',
  fields: (t) => ({ byteLength: t.int({ required: true, description: 'The number of bytes, 16 to 1024.' }) }),
});

const PasswordInput = builder.inputType('PasswordInput', {
  description: 'A random password. Every allowed character is equally likely.',
  fields: (t) => ({
    length: t.int({ required: true, description: 'The number of characters, 8 to 1024.' }),
    uppercase: t.boolean({ required: true, defaultValue: true, description: 'Whether `A-Z` are allowed.' }),
    lowercase: t.boolean({ required: true, defaultValue: true, description: 'Whether `a-z` are allowed.' }),
    digits: t.boolean({ required: true, defaultValue: true, description: 'Whether `0-9` are allowed.' }),
    symbols: t.boolean({
      required: true,
      defaultValue: true,
      description: 'Whether ASCII punctuation marks are allowed.',
    }),
    excludeCharacters: t.string({
      description: 'Characters that must not occur. At least 2 other characters must remain.',
    }),
    requireEachType: t.boolean({
      required: true,
      defaultValue: true,
      description: 'Whether each allowed type of character must occur at least once.',
    }),
  }),
});

const GenerateSecretInput = builder.inputType('GenerateSecretInput', {
  description:
    'How the service generates the value. Nobody sees the value until it is read. Give exactly one field.',
  isOneOf: true,
  fields: (t) => ({
    randomBytes: t.field({ type: RandomBytesInput, description: 'Random bytes.' }),
    password: t.field({ type: PasswordInput, description: 'A random password.' }),
  }),
});

export const SecretValueInput = builder.inputType('SecretValueInput', {
  description: 'A value, or how to generate it. Give exactly one field.',
  isOneOf: true,
  fields: (t) => ({
    secretString: t.field({ type: 'SecretData', description: 'A STRING of 1 byte to 64 KiB.' }),
    secretKeyValues: t.field({
      type: [SecretKeyValueInput],
      description: 'A KEY_VALUE of 1 to 256 entries, at most 64 KiB in total.',
    }),
    generateSecret: t.field({
      type: GenerateSecretInput,
      description: 'A STRING that the service generates.',
    }),
  }),
});
