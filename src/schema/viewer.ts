import { type Viewer, viewer } from '../resolvers/viewer.ts';
import { builder } from './builder.ts';

const ViewerType = builder.objectRef<Viewer>('Viewer').implement({
  description: 'The caller and its scope, as the verified token states.',
  fields: (t) => ({
    subject: t.exposeString('subject', { description: 'The subject of the token (claim `sub`).' }),
    issuer: t.exposeString('issuer', { description: 'Who issued the token (claim `iss`).' }),
    organisation: t.exposeString('organisation', {
      description: 'The organisation that the request is made in.',
    }),
    project: t.exposeString('project', {
      nullable: true,
      description: 'The project that the request is made in; null for the organisation itself.',
    }),
    roles: t.stringList({
      description: 'The roles of the token, to which policies are bound.',
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
