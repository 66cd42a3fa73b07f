import type { AuditEvent } from '../../resolvers/audit/audit-event.ts';
import { auditEvents } from '../../resolvers/audit/audit-events.ts';
import { encodeGlobalId } from '../../resolvers/input/global-id.ts';
import { builder } from '../builder.ts';
import { connectionType, pageArguments } from '../connection.ts';
import { AuditOutcomeEnum } from '../enums.ts';
import { regionOption } from '../input-options.ts';
import { labelsOf, LabelType } from '../label.ts';
import { NodeInterface } from '../node.ts';

type Actor = Pick<AuditEvent, 'actorSubject' | 'actorIssuer' | 'actorRoles'>;

const AuditActor = builder.objectRef<Actor>('AuditActor').implement({
  description: 'The identity that acted in an event, as its access token states.',
  fields: (t) => ({
    subject: t.exposeString('actorSubject', {
      description: 'The subject (claim `sub`), unique within its issuer.',
    }),
    issuer: t.exposeString('actorIssuer', {
      description: 'Who vouched for the subject (claim `iss`); `strongroom` for background jobs.',
    }),
    roles: t.exposeStringList('actorRoles', { description: 'The roles that the actor had.' }),
  }),
});

const AuditEventType = builder.objectRef<AuditEvent>('AuditEvent').implement({
  description:
    'One link of the audit chain: what happened, and a hash that the next event contains. It holds no value.',
  interfaces: () => [NodeInterface],
  fields: (t) => ({
    id: t.id({
      description: 'The id of the event for `node`.',
      resolve: ({ region, id }) => encodeGlobalId('AuditEvent', region, id),
    }),
    sequence: t.field({
      type: 'SafeInt',
      description:
        'The number of the event in the chain of its organisation and region: 1, 2, 3, without a gap.',
      resolve: ({ sequence }) => sequence,
    }),
    at: t.expose('at', { type: 'DateTime', description: 'When it happened, by the clock of the gateway.' }),
    action: t.exposeString('action', { description: 'What was done, such as `secret.getValue`.' }),
    outcome: t.expose('outcome', { type: AuditOutcomeEnum, description: 'How it ended.' }),
    errorCode: t.exposeString('errorCode', {
      nullable: true,
      description: 'The code of the failure, also where the caller was told less; null for a success.',
    }),
    organisation: t.exposeString('organisation', { description: 'The organisation that it happened in.' }),
    project: t.string({
      nullable: true,
      description: 'The project that it happened in; null for the organisation itself.',
      resolve: ({ project }) => project || null,
    }),
    region: t.exposeString('region', { description: 'The region that it happened in.' }),
    actor: t.field({ type: AuditActor, description: 'Who did it.', resolve: (event) => event }),
    resourceType: t.exposeString('resourceType', {
      description: 'What it was done to: `secret`, `kms-key`, `policy` or `audit`.',
    }),
    resource: t.exposeString('resource', {
      nullable: true,
      description: 'The path, key identity or policy name without a prefix; null where the event names none.',
    }),
    resourceId: t.id({
      nullable: true,
      description:
        'The id of the secret. It distinguishes secrets that had the same path; null where there was none.',
      resolve: ({ resourceType, resourceId, region }) =>
        resourceId !== null && resourceType === 'secret'
          ? encodeGlobalId('Secret', region, resourceId)
          : resourceId,
    }),
    version: t.exposeInt('version', {
      nullable: true,
      description: 'The number of the version of the secret or of the KMS key; null where there was none.',
    }),
    causedBy: t.field({
      type: 'SafeInt',
      nullable: true,
      description: 'For a `kms.*` event, the sequence of the event that caused it; null for all others.',
      resolve: ({ causedBy }) => causedBy,
    }),
    requestId: t.exposeString('requestId', {
      description:
        'The id of the request. It connects the event of a secret with the KMS events that it caused.',
    }),
    sourceIp: t.exposeString('sourceIp', {
      nullable: true,
      description: 'The address of the client; null when it could not be determined.',
    }),
    userAgent: t.exposeString('userAgent', { nullable: true, description: 'The User-Agent of the client.' }),
    details: t.field({
      type: [LabelType],
      description: 'More about it, such as the reason of a refusal, sorted by name.',
      resolve: ({ details }) => labelsOf(details as Readonly<Record<string, string>>),
    }),
    hash: t.string({
      description:
        'SHA-256 over the previous hash and all fields of the event, in hexadecimal: see docs/audit.md.',
      resolve: ({ hash }) => Buffer.from(hash).toString('hex'),
    }),
    previousHash: t.string({
      description: 'The hash of the event before it, in hexadecimal.',
      resolve: ({ previousHash }) => Buffer.from(previousHash).toString('hex'),
    }),
  }),
});

const AuditEventConnection = connectionType('AuditEvent', 'audit events', AuditEventType);

const AuditEventFilter = builder.inputType('AuditEventFilter', {
  description: 'Which events to list: those that match everything given.',
  fields: (t) => ({
    actions: t.stringList({
      description: 'Only these actions, such as `secret.getValue`: see docs/audit.md.',
    }),
    outcome: t.field({ type: AuditOutcomeEnum, description: 'Only events that ended like this.' }),
    subject: t.string({ description: 'Only what this subject did. With `issuer` it names one identity.' }),
    issuer: t.string({ description: 'Only what subjects of this issuer did.' }),
    resource: t.string({
      description: 'Only what was done to exactly this path, key identity or policy name.',
    }),
    pathPrefix: t.field({
      type: 'FolderPath',
      description:
        'Only what was done to secrets below this folder. A secret at exactly this path is excluded.',
    }),
    requestId: t.string({ description: 'Only the events of this request.' }),
    since: t.field({ type: 'DateTime', description: 'Only events at this instant or later.' }),
    until: t.field({ type: 'DateTime', description: 'Only events before this instant.' }),
  }),
});

builder.queryField('auditEvents', (t) =>
  t.field({
    type: AuditEventConnection,
    nullable: true,
    description:
      'The audit log of the scope, newest first: in organisation scope with the events of all projects. Needs AUDIT_READ.',
    args: {
      region: t.arg.string(regionOption),
      filter: t.arg({ type: AuditEventFilter, description: 'Which events. Default: all.' }),
      ...pageArguments(),
    },
    resolve: (_, args, ctx) => auditEvents(ctx, args),
  }),
);
