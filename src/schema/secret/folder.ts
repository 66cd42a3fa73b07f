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
    'A folder in the tree of paths. The root always exists. Any other folder exists while it contains, ' +
    'at any depth, a secret that the caller may find. A folder and a secret may have the same path.',
  interfaces: [NodeInterface, PathNodeInterface],
  fields: (t) => ({
    id: t.id({
      description: 'The id of the folder. Pass it to `node` to fetch the folder again.',
      resolve: ({ region, path }) => encodeGlobalId('Folder', region.name, path),
    }),
    parent: t.field({
      type: FolderType,
      nullable: true,
      description: 'The folder that contains this one; null for the root.',
      resolve: (child) => parentOf(child),
    }),
    children: t.field({
      type: PathNodeConnection,
      description:
        'The folders and secrets one level below that the caller may find, ' +
        'by name. A secret comes before the folder of the same name.',
      args: pageArguments(),
      resolve: (parent, args, ctx) => folderChildren(ctx, parent, args),
    }),
  }),
});

builder.queryField('folder', (t) =>
  t.field({
    type: FolderType,
    nullable: true,
    description: 'The folder at a path; null if it contains nothing that the caller may find.',
    args: {
      path: t.arg({
        type: 'FolderPath',
        required: true,
        defaultValue: '/',
        description: 'The path of the folder. If omitted, the root is used.',
      }),
      region: t.arg.string(regionOption),
    },
    resolve: (_, args, ctx) => folder(ctx, args),
  }),
);

/** A parent exists because its child does. */
function parentOf({ region, path }: Folder): Folder | null {
  const parent = parentOfPath(path);
  return parent === null ? null : { region, path: parent };
}
