import { type SecretEvent, secretEvents } from '../../resolvers/events/secret-events.ts';
import { builder } from '../builder.ts';
import { SecretEventKindEnum } from '../enums.ts';
import { regionOption } from '../input-options.ts';

const SecretEventType = builder.objectRef<SecretEvent>('SecretEvent').implement({
  description: 'A change to a secret, sent to subscribers. It never contains a value.',
  fields: (t) => ({
    cursor: t.exposeString('cursor', {
      description: 'The position of this event. To continue, pass the last cursor as `after`.',
    }),
    at: t.expose('at', { type: 'DateTime', description: 'When the change was made.' }),
    kind: t.expose('kind', { type: SecretEventKindEnum, description: 'The kind of change.' }),
    path: t.exposeString('path', {
      description: 'The path of the secret. After a restore to another path, it is the new path.',
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
      'Follows the changes to the secrets that the caller may find, in commit order. ' +
      'The stream ends with an error that gives the reason, at the latest when the ' +
      'token expires. Subscribe again with the last cursor, and nothing is lost.',
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
        description:
          'Start immediately after the event with this cursor. If omitted, the stream starts with changes from now on.',
      }),
    },
    subscribe: (_, args, ctx) => secretEvents(ctx, args),
    resolve: (event) => event,
  }),
);
