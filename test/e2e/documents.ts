import { graphql } from '../support/graphql.ts';

const errors = graphql(`
  fragment Errors on UserError @_unmask {
    __typename
    code
    message
    ... on InvalidInputError {
      field
    }
    ... on ConflictError {
      expected
      actual
    }
    ... on AccessDeniedError {
      permission
    }
  }
`);

export const KMS_KEYS = graphql(`
  query KmsKeys {
    kmsKeys {
      nodes {
        id
        identity
        name
        region
        status
        latestVersion
      }
    }
  }
`);

export const CREATE = graphql(
  `
    mutation Create($input: CreateSecretInput!) {
      createSecret(input: $input) {
        __typename
        ...Errors
        ... on SecretVersionPayload {
          secret {
            id
            path
            currentVersion
            objectVersion
            lastAccessedAt
          }
          version {
            id
            number
            stage
            status
            valueFormat
          }
        }
      }
    }
  `,
  [errors],
);

export const PUT = graphql(
  `
    mutation Put($input: PutSecretValueInput!) {
      putSecretValue(input: $input) {
        __typename
        ...Errors
        ... on SecretVersionPayload {
          secret {
            id
            currentVersion
          }
          version {
            number
            stage
          }
        }
      }
    }
  `,
  [errors],
);

export const GET = graphql(
  `
    query Get($input: GetSecretValueInput!) {
      getSecretValue(input: $input) {
        __typename
        ...Errors
        ... on SecretValue {
          path
          version
          valueFormat
          secretString
          secretKeyValues {
            key
            value
          }
          kmsKeyIdentity
          kmsKeyVersion
        }
      }
    }
  `,
  [errors],
);

export const GET_MANY = graphql(
  `
    query GetMany($input: GetSecretValuesInput!) {
      getSecretValues(input: $input) {
        __typename
        ...Errors
        ... on GetSecretValuesPayload {
          results {
            __typename
            ...Errors
            ... on SecretValue {
              path
              version
              secretString
            }
          }
        }
      }
    }
  `,
  [errors],
);

export const ROLLBACK = graphql(
  `
    mutation Rollback($input: RollbackSecretInput!) {
      rollbackSecret(input: $input) {
        __typename
        ...Errors
        ... on SecretVersionPayload {
          version {
            number
            stage
          }
        }
      }
    }
  `,
  [errors],
);

export const DESTROY = graphql(
  `
    mutation Destroy($input: DestroySecretVersionInput!) {
      destroySecretVersion(input: $input) {
        __typename
        ...Errors
        ... on SecretVersionPayload {
          secret {
            currentVersion
          }
          version {
            number
            status
            stage
            destroyedAt
          }
        }
      }
    }
  `,
  [errors],
);

export const DELETE = graphql(
  `
    mutation Delete($input: DeleteSecretInput!) {
      deleteSecret(input: $input) {
        __typename
        ...Errors
        ... on SecretPayload {
          secret {
            id
            deletedAt
            purgeAt
          }
        }
        ... on PurgeSecretPayload {
          id
        }
      }
    }
  `,
  [errors],
);

export const RESTORE = graphql(
  `
    mutation Restore($input: RestoreSecretInput!) {
      restoreSecret(input: $input) {
        __typename
        ...Errors
        ... on SecretPayload {
          secret {
            id
            path
            deletedAt
          }
        }
      }
    }
  `,
  [errors],
);

export const PURGE = graphql(
  `
    mutation Purge($input: PurgeSecretInput!) {
      purgeSecret(input: $input) {
        __typename
        ...Errors
        ... on PurgeSecretPayload {
          id
        }
      }
    }
  `,
  [errors],
);

export const SECRET = graphql(`
  query Secret($path: SecretPath!) {
    secret(path: $path) {
      id
      path
      name
      region
      organisation
      project
      description
      labels {
        key
        value
      }
      annotations {
        key
        value
      }
      kmsKeyIdentity
      kmsKey {
        name
      }
      currentVersion
      objectVersion
      lastAccessedAt
      createdBy {
        subject
        issuer
      }
      version {
        number
        stage
        lastAccessedAt
      }
      versions {
        nodes {
          number
          status
          stage
          lastAccessedAt
        }
      }
    }
  }
`);

export const SECRETS = graphql(`
  query Secrets(
    $filter: SecretFilter
    $orderBy: SecretOrder
    $first: Int
    $after: String
    $last: Int
    $before: String
  ) {
    secrets(filter: $filter, orderBy: $orderBy, first: $first, after: $after, last: $last, before: $before) {
      totalCount
      nodes {
        path
      }
      pageInfo {
        hasNextPage
        hasPreviousPage
        startCursor
        endCursor
      }
    }
  }
`);

export const DELETED = graphql(`
  query Deleted {
    deletedSecrets {
      nodes {
        id
        path
      }
    }
  }
`);

export const FOLDER = graphql(`
  query Folder($path: FolderPath!, $first: Int, $after: String, $last: Int, $before: String) {
    folder(path: $path) {
      id
      path
      parent {
        path
      }
      children(first: $first, after: $after, last: $last, before: $before) {
        nodes {
          __typename
          name
          path
        }
        pageInfo {
          hasNextPage
          hasPreviousPage
          startCursor
          endCursor
        }
      }
    }
  }
`);
