/** All that is wrong with the environment, a line each: names and rules, never a value. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';

  constructor(problems: readonly string[]) {
    super(['The configuration does not work:', ...problems.map((problem) => `- ${problem}`)].join('\n'));
  }
}
