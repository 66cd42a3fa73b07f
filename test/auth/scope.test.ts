import { describe, expect, it } from 'vitest';
import { parseScopeClaims } from '../../src/auth/scope-claims.ts';
import { resolveScope } from '../../src/auth/scope.ts';
import { refusal } from './test-issuer.ts';

const parse = (claims: object) =>
  parseScopeClaims({ organisation: 'acme', project: undefined, projects: undefined, ...claims });
const refused = (claims: object) => refusal(Promise.resolve().then(() => parse(claims)));

/** What no name is: wrong types, empty, other characters, too long, look-alikes, JavaScript's own. */
const NO_NAMES = [
  ...[
    null,
    5,
    0,
    true,
    false,
    {},
    [],
    ['acme'],
    '',
    ' ',
    '*',
    '-',
    '-a',
    'Acme',
    'acme ',
    ' acme',
    'acme\n',
    '\u0000',
  ],
  ...[
    'a_b',
    'a.b',
    'a/b',
    '..',
    'a,b',
    'acmé',
    'аcme',
    'ａcme',
    'a\u200db',
    '%61',
    '__proto__',
    'x'.repeat(64),
  ],
].map((value) => ({ value }));

describe('claims', () => {
  it('an organisation is required', async () =>
    expect(await refused({ organisation: undefined })).toBe('organisation'));

  it.for(NO_NAMES)('an organisation that is no name is refused: $value', async ({ value }) =>
    expect(await refused({ organisation: value })).toBe('organisation'),
  );

  it.for(NO_NAMES)(
    'a project that is no name is refused, not read as organisation scope: $value',
    async ({ value }) => expect(await refused({ project: value })).toBe('project'),
  );

  it.for(NO_NAMES)('a list of projects that holds what is no name is refused: $value', async ({ value }) => {
    expect(await refused({ projects: [value] })).toBe('projects');
    expect(await refused({ projects: ['web', value] })).toBe('projects');
  });

  it.for([null, 5, 'web', '', {}, [], { 0: 'web', length: 1 }].map((value) => ({ value })))(
    'projects that are no list, or an empty one, are refused: $value',
    async ({ value }) => expect(await refused({ projects: value })).toBe('projects'),
  );

  it('a project that is not among the projects is refused', async () =>
    expect(await refused({ project: 'web', projects: ['api', 'webs'] })).toBe(
      'project is not one of projects',
    ));

  it.for(['a', '0', 'acme', 'acme-2', 'a--', 'constructor', 'tostring', 'x'.repeat(63)])(
    'a name is kept as it is: %s',
    (name) =>
      expect(parse({ organisation: name, project: name, projects: ['other', name] })).toEqual({
        organisation: name,
        project: name,
        projects: ['other', name],
      }),
  );
});

describe('header', () => {
  it.for(NO_NAMES.filter(({ value }) => typeof value === 'string'))(
    'one that is no name is a bad request, whatever the claims say: $value',
    ({ value }) => {
      for (const claims of [{}, { project: 'web' }, { projects: ['web'] }]) {
        expect(() => resolveScope(parse(claims), [value as string])).toThrow(
          expect.objectContaining({ code: 'BAD_REQUEST' }),
        );
      }
    },
  );

  it.for(
    [
      ['web', 'web'],
      ['web', 'api'],
      ['', 'web'],
      ['', ''],
    ].map((values) => ({ values })),
  )('a repeated one is a bad request, even when it repeats itself: $values', ({ values }) =>
    expect(() => resolveScope(parse({ project: 'web' }), values)).toThrow(
      expect.objectContaining({ code: 'BAD_REQUEST' }),
    ),
  );

  it.for([
    { claims: { project: 'web' }, header: ['api'] },
    { claims: { project: 'web', projects: ['web', 'api'] }, header: ['api'] },
    { claims: { projects: ['web', 'api'] }, header: ['other'] },
    { claims: { projects: ['web', 'api'] }, header: ['we'] },
    { claims: { projects: ['web', 'api'] }, header: [] },
    { claims: { projects: ['web'] }, header: [] },
  ])(
    'one that disagrees with the claims, or is missing where it must choose, chooses nothing: %j',
    ({ claims, header }) =>
      expect(resolveScope(parse(claims), header)).toEqual({
        project: null,
        requestedProject: header[0] ?? '',
      }),
  );

  it.for([
    { claims: {}, header: [], project: '' },
    { claims: {}, header: ['web'], project: 'web' },
    { claims: {}, header: ['constructor'], project: 'constructor' },
    { claims: { project: 'web' }, header: [], project: 'web' },
    { claims: { project: 'web' }, header: ['web'], project: 'web' },
    { claims: { projects: ['web', 'api'] }, header: ['api'], project: 'api' },
    { claims: { project: 'web', projects: ['web', 'api'] }, header: [], project: 'web' },
    { claims: { project: 'web', projects: ['web', 'api'] }, header: ['web'], project: 'web' },
  ])('one that agrees, or may be left out, gives the project: %j', ({ claims, header, project }) =>
    expect(resolveScope(parse(claims), header).project).toBe(project),
  );
});
