/**
 * Observa's canonical events: a batch as JSON or NDJSON, checked as its server checks, and as rows of `canonical_events`.
 *
 * Must stay true: whose an event is, the key says. An event that names another is refused, and the whole batch with it.
 */

import { AppError } from '@glasshouse/model';
import { checkJsonDepth } from '../json-depth.ts';
import type { Fields, Owner, Row } from './form.ts';
import { ENVIRONMENTS, Findings, isFields, optionalText, textOf, timeOf } from './form.ts';
import { Refusal } from './refusal.ts';

const MAX_EVENTS = 1_000;
export const MAX_EVENT_BYTES = 1 << 20;
export const MAX_BATCH_BYTES = 5 << 20;

const EVENT_TYPES: ReadonlySet<unknown> = new Set([
  'llm_call',
  'tool_call',
  'retrieval',
  'error',
  'feedback',
  'output',
  'trace_start',
  'trace_end',
  'embedding',
  'vector_db_operation',
  'cache_operation',
  'agent_create',
  'guardrail',
  'reasoning_step',
  'prompt_template',
]);
const UUID_V4 = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/iu;
const TEXTS = ['conversation_id', 'session_id', 'user_id', 'agent_name', 'version', 'route'] as const;

/** An event that was checked. */
export interface CanonicalEvent {
  readonly type: string;
  readonly attributes: Fields;
  /** As in `canonical_events`. */
  readonly row: Row;
}

/**
 * The events of a body, by what it begins with: an array, or an object on each line. Throws `Refusal`, and `forbidden` for an
 * event of somebody else.
 */
export function readEvents(body: Buffer, owner: Owner): CanonicalEvent[] {
  const text = body.toString('utf8').trim();
  checkJsonDepth(text);
  const values = text.startsWith('[') ? arrayOf(text) : linesOf(text);
  if (values.length === 0) throw invalid('cannot read the body: there is no event in it');
  if (values.length > MAX_EVENTS) {
    const details = { limit: MAX_EVENTS, received: values.length, limit_type: 'events' };
    throw new Refusal(413, 'PAYLOAD_TOO_LARGE', `cannot take more than ${MAX_EVENTS} events at once`, details);
  }
  const findings = new Findings();
  const events = values.map((value, index) => eventOf(value, index, owner, findings));
  if (findings.isClean) return events.flatMap((event) => event ?? []);
  throw new Refusal(422, 'VALIDATION_ERROR', 'cannot take the events: some are not valid', {
    validation_errors: findings.errors,
  });
}

function arrayOf(text: string): unknown[] {
  const values = parsed(text) as unknown[];
  for (const [index, value] of values.entries()) checkSize(Buffer.byteLength(JSON.stringify(value)), index);
  return values;
}

function linesOf(text: string): unknown[] {
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  return lines.map((line, index) => {
    checkSize(Buffer.byteLength(line), index);
    return parsed(line, index + 1);
  });
}

function checkSize(bytes: number, index: number): void {
  if (bytes <= MAX_EVENT_BYTES) return;
  const details = { limit: MAX_EVENT_BYTES, received: bytes, limit_type: 'event', event_index: index };
  throw new Refusal(413, 'PAYLOAD_TOO_LARGE', `cannot take event=${index}: it is too large`, details, true);
}

function eventOf(value: unknown, index: number, owner: Owner, findings: Findings): CanonicalEvent | undefined {
  const at = (field: string): string => `${index}.${field}`;
  if (!isFields(value)) {
    findings.add(String(index), 'must be an object');
    return undefined;
  }
  checkOwner(value, owner);
  for (const field of ['tenant_id', 'project_id', 'environment'])
    if (typeof value[field] !== 'string') findings.add(at(field), 'must be a text');
  const environment = owner.environment ?? value['environment'];
  if (!ENVIRONMENTS.includes(environment)) findings.add(at('environment'), 'must be dev or prod');
  for (const field of ['trace_id', 'span_id']) if (!isUuid(value[field])) findings.add(at(field), 'must be a UUID v4');
  const parent = value['parent_span_id'] ?? null;
  if (parent !== null && !isUuid(parent)) findings.add(at('parent_span_id'), 'must be a UUID v4 or null');
  for (const field of TEXTS)
    if (typeof (value[field] ?? '') !== 'string') findings.add(at(field), 'must be a text or null');
  const timestamp = timeOf(value['timestamp']);
  if (timestamp === undefined) findings.add(at('timestamp'), 'must be an ISO 8601 time');
  const type = value['event_type'];
  if (!EVENT_TYPES.has(type)) findings.add(at('event_type'), `must be one of ${[...EVENT_TYPES].join(', ')}`);
  const attributes = value['attributes'];
  if (!isFields(attributes)) {
    findings.add(at('attributes'), 'must be an object');
    return undefined;
  }
  const row = {
    tenant_id: owner.tenant,
    project_id: owner.project,
    environment,
    trace_id: value['trace_id'],
    span_id: value['span_id'],
    parent_span_id: parent,
    timestamp,
    event_type: type,
    conversation_id: textOf(value['conversation_id']),
    session_id: textOf(value['session_id']),
    user_id: textOf(value['user_id']),
    agent_name: optionalText(value['agent_name']),
    version: optionalText(value['version']),
    route: optionalText(value['route']),
    attributes_json: JSON.stringify(attributes),
  };
  return { type: String(type), attributes, row };
}

/** Throws `forbidden` for an event that names somebody else than the key does. */
function checkOwner(event: Fields, owner: Owner): void {
  const own = { tenant_id: owner.tenant, project_id: owner.project, environment: owner.environment };
  for (const [field, expected] of Object.entries(own)) {
    const given = event[field];
    if (expected !== undefined && typeof given === 'string' && given !== expected)
      throw new AppError('forbidden', `cannot take the events: ${field} must be that of the API key, ${expected}`);
  }
}

function isUuid(value: unknown): boolean {
  return typeof value === 'string' && UUID_V4.test(value);
}

function parsed(text: string, line?: number): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw invalid(`cannot read the body: ${line === undefined ? 'it' : `line ${line}`} is not JSON`);
  }
}

function invalid(message: string): Refusal {
  return new Refusal(400, 'INVALID_PAYLOAD', message, {});
}
