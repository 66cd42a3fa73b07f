import { z } from 'zod';
import { externalKeys, providerName, timeoutMs } from '../fields.ts';
import { serverOrigin } from '../server-origin.ts';

/** The ARN of a key, never of an alias: an alias could be pointed at another key. The first group is the region. */
export const AWS_KEY_ARN =
  /^arn:aws(?:-[a-z]+)*:kms:([a-z]{2,}(?:-[a-z]+)+-[0-9]{1,2}):[0-9]{12}:key\/(?:mrk-[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/;

export type AwsKmsConfig = z.output<ReturnType<typeof awsKmsConfigSchema>>;

export function awsKmsConfigSchema(production: boolean) {
  return z
    .strictObject({
      name: providerName,
      kind: z.literal('aws-kms'),
      region: z
        .string('must be a string')
        .regex(/^[a-z]{2,}(?:-[a-z]+)+-[0-9]{1,2}$/, 'must be a region, such as eu-central-1'),
      endpoint: serverOrigin(production).optional(),
      timeoutMs,
      externalKeys: externalKeys(AWS_KEY_ARN, 'ARNs of keys, not of aliases'),
    })
    .superRefine(({ region, externalKeys: keys }, context) => {
      const elsewhere = Object.values(keys)
        .flat()
        .some((arn) => AWS_KEY_ARN.exec(arn)?.[1] !== region);
      if (elsewhere) {
        const message = 'must be in the region of the provider';
        context.addIssue({ code: 'custom', path: ['externalKeys'], message });
      }
    });
}
