import { type Viewer, viewer } from '../resolvers/viewer.ts';
import { builder } from './builder.ts';

const ViewerType = builder.objectRef<Viewer>('Viewer').implement({
  description: 'The caller and its scope, as stated in the verified token.',
  fields: (t) => ({
    subject: t.exposeString('subject', { description: 'The subject of the token (the `sub` claim).' }),
    issuer: t.exposeString('issuer', { description: 'The issuer of the token (the `iss` claim).' }),
    organisation: t.exposeString('organisation', {
      description: 'The organisation in which the request is made.',
    }),
    project: t.exposeString('project', {
      nullable: true,
      description: 'The project in which the request is made; null for the organisation itself.',
    }),
    roles: t.stringList({
      description: 'The roles in the token. Policies are bound to them.',
      resolve: ({ roles }) => roles,
    }),
  }),
});

builder.queryField('viewer', (t) =>
  t.field({
    type: ViewerType,
    nullable: true,
    description: 'The caller, as the service sees it.',
    resolve: (_, __, ctx) => viewer(ctx),
  }),
);
