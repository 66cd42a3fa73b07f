import { defineConfig } from 'vitest/config';

export default defineConfig({
  // One copy of graphql for our code and its libraries: vitest would take the .mjs for ours and the .js for theirs.
  resolve: { alias: [{ find: /^graphql$/, replacement: 'graphql/index.js' }] },
  test: {
    include: ['test/**/*.test.ts', 'packages/*/test/**/*.test.ts'],
    globalSetup: ['test/support/postgres.ts'],
    pool: 'forks',
    // Files of one worker share what they import: loading the service anew for each took as long as the tests. So no file
    // may leave behind anything that another could meet; each has a service and a database of its own.
    isolate: false,
    maxWorkers: 2,
    testTimeout: 30_000,
    hookTimeout: 60_000,
  },
});
