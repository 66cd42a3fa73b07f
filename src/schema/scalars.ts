import { GraphQLError } from 'graphql';
import { SecretBytes } from '../kms/envelope/secret-bytes.ts';
import { builder } from './builder.ts';

/** Accepts any string, unparsed. The operation parses it, so that an error can name the path of the field. */
function parseText(name: string): (value: unknown) => string {
  return (value) => {
    if (typeof value === 'string') return value;
    // The text is fixed: a message must not quote what may be a secret.
    throw new GraphQLError(`${name} is a string.`);
  };
}

builder.scalarType('DateTime', {
  description:
    'An instant in RFC 3339 format, such as `2030-01-31T23:59:59.000Z`. Responses are in UTC with milliseconds.',
  specifiedByURL: 'https://www.rfc-editor.org/rfc/rfc3339',
  parseValue: parseText('DateTime'),
  serialize: (instant) => instant.toISOString(),
});

builder.scalarType('SecretPath', {
  description:
    'The path of a secret, such as `/app/production/db/password`. It has 1 to 32 ' +
    'segments and at most 512 characters in total. Each segment has 1 to 128 ' +
    'characters of `A-Z a-z 0-9 _ . + -` and is neither `.` nor `..`. Case matters.',
  parseValue: parseText('SecretPath'),
  serialize: (path) => path,
});

builder.scalarType('FolderPath', {
  description: 'The path of a folder: `/` for the root, otherwise written like a SecretPath.',
  parseValue: parseText('FolderPath'),
  serialize: (path) => path,
});

builder.scalarType('SecretData', {
  description:
    'The bytes of a secret in padded base64 (RFC 4648, section 4). Pass it as a ' +
    'variable: inline values are refused because documents are logged and cached.',
  specifiedByURL: 'https://www.rfc-editor.org/rfc/rfc4648#section-4',
  parseValue: parseText('SecretData'),
  parseLiteral: () => {
    throw new GraphQLError('Pass SecretData as a variable, never inline.', {
      extensions: { code: 'BAD_USER_INPUT' },
    });
  },
  serialize: (data) => {
    if (data instanceof SecretBytes) return data.revealBase64();
    throw new GraphQLError('SecretData is made of SecretBytes.');
  },
});

builder.scalarType('CIDR', {
  description:
    'A block of IP addresses with no host bits set, such as `10.0.0.0/8` or `2001:db8::/32`. IPv4 and ' +
    'IPv6 are separate: `::/0` contains no IPv4 address, and `0.0.0.0/0` contains no IPv6 address.',
  parseValue: parseText('CIDR'),
  serialize: (block) => block,
});

builder.scalarType('TimeZone', {
  description: 'The name of a time zone in the IANA database, spelled exactly, such as `Europe/Berlin`.',
  parseValue: parseText('TimeZone'),
  serialize: (zone) => zone,
});

builder.scalarType('LocalTime', {
  description:
    'An hour and minute of wall-clock time, from `00:00` to `23:59`. `24:00` is allowed only as an end.',
  parseValue: parseText('LocalTime'),
  serialize: (time) => time,
});

builder.scalarType('SafeInt', {
  description: 'A whole number from 0 to 2^53-1, written as a JSON number. It is exact in every client.',
  parseValue: (value) => {
    if (Number.isSafeInteger(value) && Number(value) >= 0) return Number(value);
    throw new GraphQLError('SafeInt is a whole number from 0 to 2^53-1.');
  },
  serialize: (value) => {
    const number = Number(value);
    if (Number.isSafeInteger(number) && number >= 0) return number;
    throw new GraphQLError('SafeInt is a whole number from 0 to 2^53-1.');
  },
});
