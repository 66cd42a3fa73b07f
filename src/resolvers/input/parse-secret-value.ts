import { randomBytes } from 'node:crypto';
import { type FieldPath, InvalidInputError } from '../../errors.ts';
import {
  type SecretContent,
  type SecretEntry,
  STRING_ENTRY,
  zeroEntries,
} from '../../kms/envelope/envelope.ts';
import { CHARACTER_TYPES, characterSet, generatePassword } from '../../kms/envelope/generate-password.ts';
import { SecretBytes } from '../../kms/envelope/secret-bytes.ts';
import { decodeSecretData, MAX_VALUE_BYTES } from './decode-secret-data.ts';

export interface SecretValueInput {
  readonly secretString?: string | null;
  readonly secretKeyValues?: readonly { readonly key: string; readonly value: string }[] | null;
  readonly generateSecret?: GenerateSecretInput | null;
}

export interface GenerateSecretInput {
  readonly randomBytes?: { readonly byteLength: number } | null;
  readonly password?: PasswordInput | null;
}

export interface PasswordInput {
  readonly length: number;
  readonly uppercase: boolean;
  readonly lowercase: boolean;
  readonly digits: boolean;
  readonly symbols: boolean;
  readonly excludeCharacters?: string | null;
  readonly requireEachType: boolean;
}

export const MAX_ENTRIES = 256;
const ENTRY_NAME = /^[A-Za-z0-9_.-]{1,128}$/;
const GENERATED_BYTES = { least: 16, most: 1024 };
const PASSWORD_CHARACTERS = { least: 8, most: 1024 };

/** The value to be written, decoded or generated. Its buffers are the caller's to zero. */
export function parseSecretValue(input: SecretValueInput, field: FieldPath): SecretContent {
  if (input.secretString != null) return parseString(input.secretString, [...field, 'secretString']);
  if (input.secretKeyValues) return parseKeyValues(input.secretKeyValues, [...field, 'secretKeyValues']);
  if (input.generateSecret) return generate(input.generateSecret, [...field, 'generateSecret']);
  throw new InvalidInputError(field, 'Give exactly one of secretString, secretKeyValues and generateSecret.');
}

function parseString(text: string, field: FieldPath): SecretContent {
  const value = decodeSecretData(text, field);
  if (value.byteLength === 0) throw new InvalidInputError(field, 'A value has at least 1 byte.');
  return ofString(value);
}

function ofString(value: SecretBytes): SecretContent {
  return { format: 'STRING', entries: [{ name: STRING_ENTRY, value }] };
}

function parseKeyValues(
  pairs: readonly { readonly key: string; readonly value: string }[],
  field: FieldPath,
): SecretContent {
  if (pairs.length < 1 || pairs.length > MAX_ENTRIES) {
    throw new InvalidInputError(field, `There are 1 to ${MAX_ENTRIES} entries.`);
  }
  const entries: SecretEntry[] = [];
  const names = new Set<string>();
  let bytes = 0;
  try {
    for (const [index, { key, value }] of pairs.entries()) {
      const at = [...field, String(index)];
      if (!ENTRY_NAME.test(key)) {
        throw new InvalidInputError([...at, 'key'], 'The name of an entry is 1 to 128 of A-Z a-z 0-9 _ . -');
      }
      if (names.has(key)) throw new InvalidInputError([...at, 'key'], 'Every entry has a name of its own.');
      names.add(key);
      const decoded = decodeSecretData(value, [...at, 'value']);
      entries.push({ name: key, value: decoded });
      bytes += decoded.byteLength;
      if (bytes > MAX_VALUE_BYTES) {
        throw new InvalidInputError(field, `The entries have at most ${MAX_VALUE_BYTES} bytes in all.`);
      }
    }
  } catch (error) {
    zeroEntries(entries);
    throw error;
  }
  return { format: 'KEY_VALUE', entries };
}

function generate(input: GenerateSecretInput, field: FieldPath): SecretContent {
  if (input.randomBytes) {
    const { byteLength } = input.randomBytes;
    requireBetween(byteLength, GENERATED_BYTES, [...field, 'randomBytes', 'byteLength'], 'bytes');
    return ofString(new SecretBytes(randomBytes(byteLength)));
  }
  if (input.password) return ofString(new SecretBytes(password(input.password, [...field, 'password'])));
  throw new InvalidInputError(field, 'Give exactly one of randomBytes and password.');
}

function password(input: PasswordInput, field: FieldPath): Buffer {
  requireBetween(input.length, PASSWORD_CHARACTERS, [...field, 'length'], 'characters');
  const types = CHARACTER_TYPES.filter((type) => input[type]);
  if (types.length === 0) throw new InvalidInputError(field, 'At least one type of character is on.');
  const sets = types.map((type) => characterSet(type, input.excludeCharacters ?? ''));
  const excluded: FieldPath = [...field, 'excludeCharacters'];
  if (input.requireEachType && sets.includes('')) {
    throw new InvalidInputError(excluded, 'Of each type that is required, at least one character is left.');
  }
  if (sets.join('').length < 2)
    throw new InvalidInputError(excluded, 'At least 2 characters are left to choose from.');
  return generatePassword(
    input.length,
    sets.filter((set) => set !== ''),
    input.requireEachType,
  );
}

function requireBetween(
  value: number,
  range: { readonly least: number; readonly most: number },
  field: FieldPath,
  unit: string,
): void {
  if (value >= range.least && value <= range.most) return;
  throw new InvalidInputError(field, `There are ${range.least} to ${range.most} ${unit}.`);
}
