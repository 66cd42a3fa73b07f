import { nameOfPath } from '../../policy/secret-path.ts';
import type { PathNode } from '../../resolvers/secrets/folder-children.ts';
import { builder } from '../builder.ts';
import { connectionType } from '../connection.ts';

export const PathNodeInterface = builder.interfaceRef<PathNode>('PathNode').implement({
  description: 'A folder or a secret at a path.',
  resolveType: (node) => ('id' in node ? 'Secret' : 'Folder'),
  fields: (t) => ({
    path: t.exposeString('path', { description: 'The whole path, starting with `/`.' }),
    name: t.string({
      description: 'The last segment of the path; empty for the root folder.',
      resolve: ({ path }) => nameOfPath(path),
    }),
  }),
});

export const PathNodeConnection = connectionType('PathNode', 'folders and secrets', PathNodeInterface);
