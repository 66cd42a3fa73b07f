import { parentOfPath } from '../../policy/secret-path.ts';
import { encodeGlobalId } from '../../resolvers/input/global-id.ts';
import type { Folder } from '../../resolvers/secrets/find-folder.ts';
import { folderChildren } from '../../resolvers/secrets/folder-children.ts';
import { folder } from '../../resolvers/secrets/folder.ts';
import { builder } from '../builder.ts';
import { pageArguments } from '../connection.ts';
import { regionOption } from '../input-options.ts';
import { NodeInterface } from '../node.ts';
import { PathNodeConnection, PathNodeInterface } from './path-node.ts';

const FolderType = builder.objectRef<Folder>('Folder');

FolderType.implement({
  description:
    'A folder in the tree of paths. The root always exists. Any other exists while it holds a secret, at any depth, that ' +
    'the caller may find. A folder and a secret may have the same path.',
  interfaces: [NodeInterface, PathNodeInterface],
  fields: (t) => ({
    id: t.id({
      description: 'The id of the folder for `node`.',
      resolve: ({ region, path }) => encodeGlobalId('Folder', region.name, path),
    }),
    parent: t.field({
      type: FolderType,
      nullable: true,
      description: 'The folder that holds this one; null for the root.',
      resolve: (child) => parentOf(child),
    }),
    children: t.field({
      type: PathNodeConnection,
      description:
        'The folders and secrets one level below that the caller may find, by name, a secret before the folder of its ' +
        'name.',
      args: pageArguments(),
      resolve: (parent, args, ctx) => folderChildren(ctx, parent, args),
    }),
  }),
});

builder.queryField('folder', (t) =>
  t.field({
    type: FolderType,
    nullable: true,
    description: 'The folder at a path; null when it holds nothing that the caller may find.',
    args: {
      path: t.arg({
        type: 'FolderPath',
        required: true,
        defaultValue: '/',
        description: 'The path of the folder. Default: the root.',
      }),
      region: t.arg.string(regionOption),
    },
    resolve: (_, args, ctx) => folder(ctx, args),
  }),
);

/** A parent exists, since its child does. */
function parentOf({ region, path }: Folder): Folder | null {
  const parent = parentOfPath(path);
  return parent === null ? null : { region, path: parent };
}
