/**
 * What is to become of texts before they are stored, as data: an action for each kind of text, and the classes that are
 * replaced wherever they stand. A policy belongs to a tenant, a project or an environment; this file knows nothing of that.
 *
 * Must stay true: a policy is plain JSON, so that it can be a row of a table and a message to a thread.
 */

import type { Placement } from '@glasshouse/model';
import { AppError } from '@glasshouse/model';

/** What is done with a text: kept, replaced by its keyed hash, cut, or replaced by an empty text. */
export type Action = 'drop' | 'hash' | 'keep' | 'truncate';

/** What is replaced by a mark wherever it stands. `person` goes by the keys of values: names, addresses, birthdays. */
export type RedactionClass = 'card' | 'email' | 'iban' | 'ip' | 'person' | 'phone' | 'secret' | 'ssn';

/** Kinds of texts that have an action. `tools` are the arguments and results of tool calls, `users` the ids of end users. */
export type TextKind = 'completions' | 'prompts' | 'tools' | 'users';

export interface Policy extends Readonly<Record<TextKind, Action>> {
  readonly redact: readonly RedactionClass[];
  /** Characters that `truncate` leaves. */
  readonly truncateTo: number;
}

/** A policy and what it holds for: all projects or environments of the tenant where their names are empty. */
export interface PlacedPolicy extends Placement {
  readonly policy: Policy;
}

/** All policies of a server. */
export interface PolicySet {
  readonly policies: readonly PlacedPolicy[];
  /** Secret of the installation, for hashes. */
  readonly hashKey: Uint8Array;
}

export type PresetName = 'ids-only' | 'off' | 'standard' | 'strict';

export const ACTIONS: readonly Action[] = ['keep', 'hash', 'truncate', 'drop'];
export const TEXT_KINDS: readonly TextKind[] = ['prompts', 'completions', 'tools', 'users'];
export const REDACTION_CLASSES: readonly RedactionClass[] = [
  'secret',
  'card',
  'email',
  'phone',
  'iban',
  'ssn',
  'ip',
  'person',
];

const TRUNCATE_TO = 200;
const MAX_TRUNCATE_TO = 1_000_000;
const KEPT = { prompts: 'keep', completions: 'keep', tools: 'keep', users: 'keep', truncateTo: TRUNCATE_TO } as const;

/** The policies that have a name. */
export const PRESETS: Readonly<Record<PresetName, Policy>> = {
  off: { ...KEPT, redact: [] },
  'ids-only': { ...KEPT, prompts: 'drop', completions: 'drop', tools: 'drop', redact: REDACTION_CLASSES },
  standard: { ...KEPT, redact: ['secret', 'card'] },
  strict: {
    prompts: 'hash',
    completions: 'hash',
    tools: 'hash',
    users: 'hash',
    redact: REDACTION_CLASSES,
    truncateTo: TRUNCATE_TO,
  },
};

export const PRESET_NAMES = Object.keys(PRESETS) as readonly PresetName[];

/** True if nothing is changed by the policy. */
export function isOff(policy: Policy): boolean {
  return policy.redact.length === 0 && TEXT_KINDS.every((kind) => policy[kind] === 'keep');
}

/**
 * Reads a policy: the name of a preset, or an object with `preset` (else `off`) and what differs from it. Throws `bad_request`
 * for anything else.
 */
export function readPolicy(value: unknown): Policy {
  if (typeof value === 'string') return presetOf(value);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new AppError('bad_request', 'cannot read the policy: it must be a preset or an object');
  }
  const fields = value as Readonly<Record<string, unknown>>;
  const known = new Set<string>(['preset', 'redact', 'truncateTo', ...TEXT_KINDS]);
  const unknown = Object.keys(fields).find((name) => !known.has(name));
  if (unknown !== undefined) {
    throw new AppError(
      'bad_request',
      `cannot read the policy: it has no ${JSON.stringify(unknown.slice(0, 40))}; there are ${[...known].join(', ')}`,
    );
  }
  const base = presetOf(fields['preset'] ?? 'off');
  return {
    prompts: actionOf(fields, 'prompts', base),
    completions: actionOf(fields, 'completions', base),
    tools: actionOf(fields, 'tools', base),
    users: actionOf(fields, 'users', base),
    redact: fields['redact'] === undefined ? base.redact : classesOf(fields['redact']),
    truncateTo: fields['truncateTo'] === undefined ? base.truncateTo : lengthOf(fields['truncateTo']),
  };
}

/** The preset that the policy equals, if it equals one. */
export function presetNameOf(policy: Policy): PresetName | undefined {
  return PRESET_NAMES.find((name) => {
    const preset = PRESETS[name];
    return (
      TEXT_KINDS.every((kind) => preset[kind] === policy[kind]) &&
      preset.redact.length === policy.redact.length &&
      preset.redact.every((one) => policy.redact.includes(one))
    );
  });
}

function presetOf(name: unknown): Policy {
  const found = PRESET_NAMES.find((one) => one === name);
  if (found !== undefined) return PRESETS[found];
  throw new AppError(
    'bad_request',
    `cannot use preset=${shown(name)}: there is no such preset; there are ${PRESET_NAMES.join(', ')}`,
  );
}

function actionOf(fields: Readonly<Record<string, unknown>>, kind: TextKind, base: Policy): Action {
  const value = fields[kind];
  if (value === undefined) return base[kind];
  const found = ACTIONS.find((one) => one === value);
  if (found !== undefined) return found;
  throw new AppError('bad_request', `cannot use ${kind}=${shown(value)}: it must be one of ${ACTIONS.join(', ')}`);
}

function classesOf(value: unknown): readonly RedactionClass[] {
  if (!Array.isArray(value)) throw new AppError('bad_request', 'cannot use redact: it must be a list of classes');
  const unknown: unknown = value.find((one) => !REDACTION_CLASSES.includes(one as RedactionClass));
  if (unknown === undefined) return REDACTION_CLASSES.filter((one) => value.includes(one));
  throw new AppError(
    'bad_request',
    `cannot use class=${shown(unknown)}: there is no such class; there are ${REDACTION_CLASSES.join(', ')}`,
  );
}

function lengthOf(value: unknown): number {
  if (typeof value === 'number' && Number.isInteger(value) && value > 0 && value <= MAX_TRUNCATE_TO) return value;
  throw new AppError(
    'bad_request',
    `cannot use truncateTo=${shown(value)}: it must be a whole number from 1 to ${MAX_TRUNCATE_TO}`,
  );
}

function shown(value: unknown): string {
  return (JSON.stringify(value) ?? 'undefined').slice(0, 40);
}
