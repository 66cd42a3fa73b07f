import { defineConfig } from 'vitest/config';

export default defineConfig({
  // One copy of graphql for our code and its libraries: vitest would take the .mjs for ours and the .js for theirs.
  resolve: { alias: [{ find: /^graphql$/, replacement: 'graphql/index.js' }] },
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/support/postgres.ts'],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 30_000,
    hookTimeout: 60_000,
  },
});
