import { type SecretEvent, secretEvents } from '../../resolvers/events/secret-events.ts';
import { builder } from '../builder.ts';
import { SecretEventKindEnum } from '../enums.ts';
import { regionOption } from '../input-options.ts';

const SecretEventType = builder.objectRef<SecretEvent>('SecretEvent').implement({
  description: 'A change of a secret, sent to followers. It never holds a value.',
  fields: (t) => ({
    cursor: t.exposeString('cursor', {
      description: 'The place of this event: give the last one as `after` to go on.',
    }),
    at: t.expose('at', { type: 'DateTime', description: 'When the change was made.' }),
    kind: t.expose('kind', { type: SecretEventKindEnum, description: 'What was done.' }),
    path: t.exposeString('path', {
      description: 'The path of the secret; after a restore to another path, the new one.',
    }),
    version: t.exposeInt('version', {
      nullable: true,
      description: 'The number of the version that was written or destroyed; null for other changes.',
    }),
  }),
});

builder.subscriptionField('secretEvents', (t) =>
  t.field({
    type: SecretEventType,
    nullable: true,
    description:
      'Follows the changes of the secrets that the caller may find, in the order of their commits. It ends with an error ' +
      'that says why, at the latest when the token expires: follow again with the last cursor, and nothing is lost.',
    args: {
      pathPrefix: t.arg({
        type: 'FolderPath',
        required: true,
        defaultValue: '/',
        description:
          'Only secrets below this folder, at any depth. A secret at exactly this path is excluded.',
      }),
      region: t.arg.string(regionOption),
      after: t.arg.string({
        description: 'Begin right after the event with this cursor. Default: begin now.',
      }),
    },
    subscribe: (_, args, ctx) => secretEvents(ctx, args),
    resolve: (event) => event,
  }),
);
