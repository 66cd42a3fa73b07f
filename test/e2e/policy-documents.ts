import { graphql } from '../support/graphql.ts';

const errors = graphql(`
  fragment PolicyErrors on UserError @_unmask {
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

const whole = graphql(`
  fragment WholePolicy on Policy @_unmask {
    id
    name
    region
    description
    builtIn
    project
    statements {
      name
      effect
      permissions
      resources
      conditions {
        ip {
          effect
          cidrs
        }
        time {
          effect
          days
          start
          end
          timeZone
        }
        claims {
          key
          value
        }
      }
    }
    subjects {
      kind
      value
      issuer
    }
    objectVersion
    createdAt
    updatedAt
  }
`);

export const PUT_POLICY = graphql(
  `
    mutation PutPolicy($input: PutPolicyInput!) {
      putPolicy(input: $input) {
        __typename
        ...PolicyErrors
        ... on PolicyPayload {
          policy {
            ...WholePolicy
          }
        }
      }
    }
  `,
  [errors, whole],
);

export const DELETE_POLICY = graphql(
  `
    mutation DeletePolicy($input: DeletePolicyInput!) {
      deletePolicy(input: $input) {
        __typename
        ...PolicyErrors
        ... on DeletePolicyPayload {
          name
        }
      }
    }
  `,
  [errors],
);

export const POLICY = graphql(
  `
    query Policy($name: String!) {
      policy(name: $name) {
        ...WholePolicy
      }
    }
  `,
  [whole],
);

export const POLICIES = graphql(`
  query Policies($first: Int, $after: String, $last: Int, $before: String) {
    policies(first: $first, after: $after, last: $last, before: $before) {
      nodes {
        name
        project
        builtIn
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

export const EXPLAIN = graphql(`
  query Explain($input: ExplainAccessInput!) {
    explainAccess(input: $input) {
      allowed
      reason
      matched {
        policy
        statement
        effect
      }
      failedConditions
    }
  }
`);
