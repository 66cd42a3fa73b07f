import { builder } from './builder.ts';

interface Identity {
  readonly subject: string;
  readonly issuer: string;
}

export const IdentityType = builder.objectRef<Identity>('Identity').implement({
  description:
    'An identity that acts: a subject of an issuer. Background jobs act with the issuer `strongroom`.',
  fields: (t) => ({
    subject: t.exposeString('subject', {
      description: 'The subject (the `sub` claim), unique within its issuer.',
    }),
    issuer: t.exposeString('issuer', {
      description: 'The issuer that vouches for the subject (the `iss` claim).',
    }),
  }),
});

export function creatorOf(row: {
  readonly createdBySubject: string;
  readonly createdByIssuer: string;
}): Identity {
  return { subject: row.createdBySubject, issuer: row.createdByIssuer };
}

export function destroyerOf(row: {
  readonly destroyedBySubject: string | null;
  readonly destroyedByIssuer: string | null;
}): Identity | null {
  const { destroyedBySubject: subject, destroyedByIssuer: issuer } = row;
  return subject === null || issuer === null ? null : { subject, issuer };
}
