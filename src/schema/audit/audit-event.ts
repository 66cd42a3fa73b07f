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
  description: 'Who performed the action that an audit event records, as stated in the access token.',
  fields: (t) => ({
    subject: t.exposeString('actorSubject', {
      description: 'The subject (the `sub` claim), unique within its issuer.',
    }),
    issuer: t.exposeString('actorIssuer', {
      description:
        'The issuer that vouched for the subject (the `iss` claim); `strongroom` for background jobs.',
    }),
    roles: t.exposeStringList('actorRoles', { description: 'The roles that the actor had.' }),
  }),
});

const AuditEventType = builder.objectRef<AuditEvent>('AuditEvent').implement({
  description:
    'One link in the audit chain: what happened, and a hash that the next event contains. It contains no value.',
  interfaces: () => [NodeInterface],
  fields: (t) => ({
    id: t.id({
      description: 'The id of the event. Pass it to `node` to fetch the event again.',
      resolve: ({ region, id }) => encodeGlobalId('AuditEvent', region, id),
    }),
    sequence: t.field({
      type: 'SafeInt',
      description:
        'The number of the event in the chain of its organisation and region: 1, 2, 3, without gaps.',
      resolve: ({ sequence }) => sequence,
    }),
    at: t.expose('at', {
      type: 'DateTime',
      description: 'When the event happened, by the clock of the gateway.',
    }),
    action: t.exposeString('action', {
      description: 'The action that was performed, such as `secret.getValue`.',
    }),
    outcome: t.expose('outcome', { type: AuditOutcomeEnum, description: 'The outcome of the action.' }),
    errorCode: t.exposeString('errorCode', {
      nullable: true,
      description: 'The code of the failure, even if the caller was told less; null for a success.',
    }),
    organisation: t.exposeString('organisation', {
      description: 'The organisation in which the event happened.',
    }),
    project: t.string({
      nullable: true,
      description: 'The project in which the event happened; null for the organisation itself.',
      resolve: ({ project }) => project || null,
    }),
    region: t.exposeString('region', { description: 'The region in which the event happened.' }),
    actor: t.field({ type: AuditActor, description: 'Who performed the action.', resolve: (event) => event }),
    resourceType: t.exposeString('resourceType', {
      description:
        'The type of resource on which the action was performed: `secret`, `kms-key`, `policy` or `audit`.',
    }),
    resource: t.exposeString('resource', {
      nullable: true,
      description: 'The bare path, key identity or policy name; null if the action named none.',
    }),
    resourceId: t.id({
      nullable: true,
      description:
        'The id of the secret or policy; null if there was none. It distinguishes successive secrets at the same path.',
      resolve: ({ resourceType, resourceId, region }) =>
        resourceId !== null && resourceType === 'secret'
          ? encodeGlobalId('Secret', region, resourceId)
          : resourceId,
    }),
    version: t.exposeInt('version', {
      nullable: true,
      description: 'The number of the version of the secret or of the KMS key; null if there was none.',
    }),
    causedBy: t.field({
      type: 'SafeInt',
      nullable: true,
      description:
        'For a `kms.*` event, the sequence number of the event that caused it; null for all others.',
      resolve: ({ causedBy }) => causedBy,
    }),
    requestId: t.exposeString('requestId', {
      description: 'The id of the request. It links the event of a secret to the KMS events that it caused.',
    }),
    sourceIp: t.exposeString('sourceIp', {
      nullable: true,
      description: 'The address of the client; null if it could not be determined with certainty.',
    }),
    userAgent: t.exposeString('userAgent', {
      nullable: true,
      description: 'The user agent that the client reported.',
    }),
    details: t.field({
      type: [LabelType],
      description: 'Further details, such as the reason for a refusal, sorted by name.',
      resolve: ({ details }) => labelsOf(details as Readonly<Record<string, string>>),
    }),
    hash: t.string({
      description:
        'The SHA-256 hash over the previous hash and all fields of the event, in hexadecimal. See docs/audit.md.',
      resolve: ({ hash }) => Buffer.from(hash).toString('hex'),
    }),
    previousHash: t.string({
      description: 'The hash of the previous event, in hexadecimal.',
      resolve: ({ previousHash }) => Buffer.from(previousHash).toString('hex'),
    }),
  }),
});

const AuditEventConnection = connectionType('AuditEvent', 'audit events', AuditEventType);

const AuditEventFilter = builder.inputType('AuditEventFilter', {
  description: 'The conditions for a list of audit events. An event must meet all that are given.',
  fields: (t) => ({
    actions: t.stringList({
      description: 'Only events with one of these actions, such as `secret.getValue`. See docs/audit.md.',
    }),
    outcome: t.field({ type: AuditOutcomeEnum, description: 'Only events with this outcome.' }),
    subject: t.string({
      description: 'Only actions of this subject. Together with `issuer`, it names one identity.',
    }),
    issuer: t.string({ description: 'Only actions of subjects of this issuer.' }),
    resource: t.string({ description: 'Only actions on exactly this path, key identity or policy name.' }),
    pathPrefix: t.field({
      type: 'FolderPath',
      description: 'Only actions on secrets below this folder. A secret at exactly this path is excluded.',
    }),
    requestId: t.string({ description: 'Only the events of this request.' }),
    since: t.field({ type: 'DateTime', description: 'Only events at or after this instant.' }),
    until: t.field({ type: 'DateTime', description: 'Only events before this instant.' }),
  }),
});

builder.queryField('auditEvents', (t) =>
  t.field({
    type: AuditEventConnection,
    nullable: true,
    description:
      'The audit log of the scope, newest first. In organisation scope, ' +
      'it includes the events of all projects. Needs AUDIT_READ.',
    args: {
      region: t.arg.string(regionOption),
      filter: t.arg({
        type: AuditEventFilter,
        description: 'The conditions that the events must meet. If omitted, all events are listed.',
      }),
      ...pageArguments(),
    },
    resolve: (_, args, ctx) => auditEvents(ctx, args),
  }),
);
