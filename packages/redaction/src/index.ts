/**
 * Redaction room: what of a text may be stored. Policies are data; finding is done on bytes; JSON stays JSON and protobuf stays
 * protobuf. Pure: no I/O, no clock.
 */

export {
  ACTIONS,
  isOff,
  PRESET_NAMES,
  presetNameOf,
  PRESETS,
  readPolicy,
  REDACTION_CLASSES,
  TEXT_KINDS,
} from './policy.ts';
export type { Action, PlacedPolicy, Policy, PolicySet, PresetName, RedactionClass, TextKind } from './policy.ts';
export { markOf, Rules } from './rules.ts';
export { redactBytes, redactEvents, redactText } from './text.ts';
export { redactOtlp } from './otlp.ts';
export { judgeKey } from './keys.ts';
export type { KeyKind } from './keys.ts';
