/** The descriptions of the parts of a policy, shared by its input types and its output types. */
export const POLICY_TEXTS = {
  statement:
    'A rule that allows or denies permissions on resources. It applies if it has the ' +
    'permission, one of its resources names the requested resource, and its conditions ' +
    'hold. A DENY takes precedence over every ALLOW. Nothing is allowed by default.',
  statementName:
    'The name of the statement, unique in its policy: 1 to 128 characters of `A-Z a-z 0-9 _ . : -`.',
  effect: 'Whether the statement allows or denies.',
  permissions: 'The permissions that the statement allows or denies, each given once.',
  resources:
    'The resources that the statement covers: `secret:` and a path, `kms-key:` and an identity or ' +
    '`*`, `policy:` and a name or `*`, `audit:*`. In a path, `*` stands for zero or more ' +
    'characters within one segment, and `**` as the last segment stands for one or more segments.',
  conditions:
    'When a statement applies: its ip conditions, its time conditions and all its claims must hold. In doubt, ' +
    'it refuses: if the address is unknown, an ALLOW with ip conditions does not apply, and a DENY does.',
  ip: 'Conditions on the address of the request. No DENY may match and, if there are ALLOW conditions, one must match.',
  time: 'Conditions on the time of the request. No DENY may match and, if there are ALLOW conditions, one must match.',
  claims:
    'Claims of the token that must all hold. `key` is a JSON Pointer (RFC 6901) into the token, such ' +
    'as `/ref`, of at most 128 characters. The claim must be exactly the string `value`, or a list ' +
    'that contains exactly that string. If there are claims, every subject must name its issuer.',
  subject:
    'The subject that a policy is bound to: a role or one identity. ' +
    'Both are compared exactly; nothing in them is a pattern.',
  subjectKind: 'Whether the subject is a role or an identity.',
  subjectValue: 'The role, of at most 128 characters, or the subject (the `sub` claim), of at most 255.',
  subjectIssuer:
    'The issuer of the token. A SUBJECT always has one. A ROLE without one matches tokens of any issuer.',
} as const;
