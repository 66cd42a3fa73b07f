/** What is said of the parts of a policy, where they are written and where they are read. */
export const POLICY_TEXTS = {
  statement:
    'What is allowed or denied. It counts where it has the permission, one of its resources names what is asked for, and ' +
    'its conditions hold. A DENY wins over every ALLOW; nothing is allowed by default.',
  statementName: 'The name of the statement, once in its policy: 1 to 128 of `A-Z a-z 0-9 _ . : -`.',
  effect: 'Whether the statement allows or denies.',
  permissions: 'The rights that it is about, each once.',
  resources:
    'What it is about: `secret:` and a path, `kms-key:` and an identity or `*`, `policy:` and a name or `*`, `audit:*`. In a ' +
    'path `*` stands for zero or more characters within one segment, and `**` as the last segment for one or more segments.',
  conditions:
    'When a statement counts: its ip conditions, its time conditions and all its claims must hold. In doubt it refuses: ' +
    'with an unknown address an ALLOW with ip conditions does not count, and a DENY does.',
  ip: 'Conditions on the address of the request: no DENY matches and, where there are ALLOWs, one does.',
  time: 'Conditions on the time of the request: no DENY matches and, where there are ALLOWs, one does.',
  claims:
    'Claims of the token that must all hold: `key` is a JSON Pointer (RFC 6901) into it, such as `/ref`, at most 128 ' +
    'characters; the claim is the string `value`, or a list with it, exactly. Then every subject names its issuer.',
  subject:
    'Whom a policy binds: a role, or one identity. Both are compared exactly; nothing in them is a pattern.',
  subjectKind: 'Whether it is a role or an identity.',
  subjectValue: 'The role, at most 128 characters, or the subject (claim `sub`), at most 255.',
  subjectIssuer: 'The issuer of the token. A SUBJECT has one; a ROLE without one is from any.',
} as const;
