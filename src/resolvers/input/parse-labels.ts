import { type FieldPath, InvalidInputError } from '../../errors.ts';
import { requireCleanText } from './require-clean-text.ts';

export interface LabelInput {
  readonly key: string;
  readonly value: string;
}

export const LABEL_LIMITS = { labels: 64, keyCharacters: 128, valueCharacters: 256 } as const;
export const MAX_ANNOTATION_BYTES = 16 * 1024;

/** At most 64 labels: keys of 1 to 128 characters, each once, values of at most 256. */
export function parseLabels(labels: readonly LabelInput[], field: FieldPath): Record<string, string> {
  if (labels.length > LABEL_LIMITS.labels) {
    throw new InvalidInputError(field, `There are at most ${LABEL_LIMITS.labels} labels.`);
  }
  const parsed = parsePairs(labels, field);
  for (const [index, { value }] of labels.entries()) {
    if (value.length > LABEL_LIMITS.valueCharacters) {
      const rule = `The value of a label has at most ${LABEL_LIMITS.valueCharacters} characters.`;
      throw new InvalidInputError([...field, String(index), 'value'], rule);
    }
  }
  return parsed;
}

/** Annotations of at most 16 KiB in all, as UTF-8, keys included: keys as labels have them, values of any length. */
export function parseAnnotations(
  annotations: readonly LabelInput[],
  field: FieldPath,
): Record<string, string> {
  const bytes = annotations.reduce(
    (sum, { key, value }) => sum + Buffer.byteLength(key) + Buffer.byteLength(value),
    0,
  );
  if (bytes > MAX_ANNOTATION_BYTES) {
    throw new InvalidInputError(field, `The annotations have at most ${MAX_ANNOTATION_BYTES} bytes in all.`);
  }
  return parsePairs(annotations, field);
}

function parsePairs(pairs: readonly LabelInput[], field: FieldPath): Record<string, string> {
  const parsed = new Map<string, string>();
  for (const [index, { key, value }] of pairs.entries()) {
    const at = [...field, String(index)];
    if (key.length < 1 || key.length > LABEL_LIMITS.keyCharacters) {
      throw new InvalidInputError([...at, 'key'], `A key has 1 to ${LABEL_LIMITS.keyCharacters} characters.`);
    }
    requireCleanText(key, [...at, 'key'], 'line');
    requireCleanText(value, [...at, 'value'], 'text');
    if (parsed.has(key)) throw new InvalidInputError([...at, 'key'], 'Every key is given once.');
    parsed.set(key, value);
  }
  return Object.fromEntries(parsed);
}
