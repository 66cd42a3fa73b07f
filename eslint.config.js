import js from '@eslint/js';
import graphqlPlugin from '@graphql-eslint/eslint-plugin';
import { defineConfig, globalIgnores } from 'eslint/config';
import tseslint from 'typescript-eslint';

export default defineConfig(
  globalIgnores([
    'src/db/generated',
    'test/support/generated',
    'node_modules',
    '.strongroom',
    'coverage',
    'packages/*/dist',
  ]),
  {
    files: ['**/*.ts'],
    extends: [js.configs.recommended, tseslint.configs.strictTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-confusing-void-expression': 'off',
      eqeqeq: ['error', 'always', { null: 'ignore' }],
      'no-console': 'error',
    },
  },
  {
    files: ['schema.graphql'],
    languageOptions: {
      parser: graphqlPlugin.parser,
      parserOptions: { graphQLConfig: { schema: './schema.graphql' } },
    },
    plugins: { '@graphql-eslint': graphqlPlugin },
    rules: {
      ...graphqlPlugin.configs['flat/schema-recommended'].rules,
      ...graphqlPlugin.configs['flat/schema-relay'].rules,
      '@graphql-eslint/naming-convention': [
        'error',
        {
          types: 'PascalCase',
          FieldDefinition: 'camelCase',
          InputValueDefinition: 'camelCase',
          Argument: 'camelCase',
          DirectiveDefinition: 'camelCase',
          EnumValueDefinition: 'UPPER_CASE',
          // getSecretValue is a verb on purpose: unlike every other query it opens a value and leaves an event.
          'FieldDefinition[parent.name.value=Query]': {
            forbiddenPrefixes: ['query'],
            forbiddenSuffixes: ['Query'],
          },
          'FieldDefinition[parent.name.value=Mutation]': { forbiddenSuffixes: ['Mutation'] },
        },
      ],
      '@graphql-eslint/require-description': [
        'error',
        {
          types: true,
          DirectiveDefinition: true,
          FieldDefinition: true,
          InputValueDefinition: true,
          EnumValueDefinition: true,
        },
      ],
      // Values, results and failures have no identity: only what can be asked for again by id has one.
      '@graphql-eslint/strict-id-in-types': [
        'error',
        {
          exceptions: {
            types: [
              'AccessDecision',
              'AccessPolicy',
              'AuditActor',
              'AuditChainVerification',
              'Identity',
              'IpCondition',
              'KmsKeyVersion',
              'Label',
              'MatchedStatement',
              'PageInfo',
              'PolicyConditions',
              'PolicyStatement',
              'PolicySubject',
              'SecretEvent',
              'SecretKeyValue',
              'SecretReader',
              'SecretValue',
              'TimeCondition',
              'Viewer',
            ],
            suffixes: ['Payload', 'Error', 'Connection', 'Edge'],
          },
        },
      ],
      // Lists of plain values (labels, roles) are no connections, and a connection's node need not be a Node: a KMS key's
      // versions are found through their key.
      '@graphql-eslint/relay-edge-types': [
        'error',
        { withEdgeSuffix: true, shouldImplementNode: false, listTypeCanWrapOnlyEdgeType: false },
      ],
      // Not definitions: the printer sorts capitals before small letters, the rule does not (CIDR, CancelKmsKeyDeletionResult).
      '@graphql-eslint/alphabetize': [
        'error',
        {
          fields: ['ObjectTypeDefinition', 'InterfaceTypeDefinition', 'InputObjectTypeDefinition'],
          values: true,
          arguments: ['FieldDefinition', 'Field', 'DirectiveDefinition', 'Directive'],
        },
      ],
    },
  },
);
