/** What GraphiQL opens with: enough to create, read, follow, give rights and ask the audit log, without the documents. */
export const GRAPHIQL_TABS = [
  {
    query: `# Who you are, and your KMS keys.
# Refused? Put a token into Headers.
query WhoAmI {
  viewer {
    subject
    organisation
    project
    roles
  }
  kmsKeys(first: 10) {
    nodes {
      identity
      name
      status
    }
  }
}
`,
  },
  {
    query: `# A value is base64 and goes into the Variables
# below, never into the query. WhoAmI tells the
# identities for kmsKeyIdentity.
mutation CreateSecret($input: CreateSecretInput!) {
  createSecret(input: $input) {
    __typename
    ... on SecretVersionPayload {
      secret { id path }
      version { number createdAt }
    }
    ... on InvalidInputError { field }
    ... on UserError { code message }
  }
}
`,
    variables: JSON.stringify(
      {
        input: {
          path: '/app/development/db/password',
          kmsKeyIdentity: '<identity from WhoAmI>',
          value: { secretString: Buffer.from('correct horse').toString('base64') },
          description: 'My first secret',
        },
      },
      null,
      2,
    ),
  },
  {
    query: `# The current value, in base64.
# This read is in the audit log.
query ReadSecret($path: SecretPath!) {
  getSecretValue(input: { path: $path }) {
    __typename
    ... on SecretValue {
      version
      secretString
      secretKeyValues { key value }
    }
    ... on UserError { code message }
  }
}
`,
    variables: JSON.stringify({ path: '/app/development/db/password' }, null, 2),
  },
  {
    query: `# The folders and secrets that you may see.
query Tree {
  folder(path: "/") {
    children(first: 50) {
      nodes {
        __typename
        path
        ... on Folder {
          children(first: 50) {
            nodes { __typename path }
          }
        }
      }
    }
  }
}
`,
  },
  {
    query: `# Gives whoever has the role "payments" a subtree.
# dryRun true only checks; change it to save.
mutation PutPolicy($input: PutPolicyInput!) {
  putPolicy(input: $input) {
    __typename
    ... on PolicyPayload {
      policy { name objectVersion }
    }
    ... on AccessDeniedError { permission }
    ... on InvalidInputError { field }
    ... on UserError { code message }
  }
}
`,
    variables: JSON.stringify(
      {
        input: {
          name: 'team-payments',
          dryRun: true,
          statements: [
            {
              name: 'own-subtree',
              effect: 'ALLOW',
              permissions: [
                ...['SECRET_CREATE', 'SECRET_READ', 'SECRET_LIST', 'SECRET_UPDATE'],
                ...['SECRET_GET_VALUE', 'SECRET_PUT_VALUE', 'SECRET_DELETE'],
              ],
              resources: ['secret:/payments/**'],
            },
            {
              name: 'any-key',
              effect: 'ALLOW',
              permissions: ['KMS_KEY_USE', 'KMS_KEY_READ', 'KMS_KEY_LIST'],
              resources: ['kms-key:*'],
            },
          ],
          subjects: [{ kind: 'ROLE', value: 'payments' }],
        },
      },
      null,
      2,
    ),
  },
  {
    query: `# Who did what, newest first. Try the filter
# {"actions": ["secret.getValue"]} in Variables.
query AuditLog($filter: AuditEventFilter) {
  auditEvents(first: 20, filter: $filter) {
    nodes {
      sequence
      at
      action
      outcome
      resource
      actor { subject }
      sourceIp
    }
  }
}
`,
    variables: JSON.stringify({ filter: {} }, null, 2),
  },
  {
    query: `# Who changes what, as it happens: run it, then
# create or change a secret in another tab.
subscription Follow {
  secretEvents(pathPrefix: "/") {
    at
    kind
    path
    version
    cursor
  }
}
`,
  },
];
