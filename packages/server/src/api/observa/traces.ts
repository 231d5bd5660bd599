/**
 * Rows of `traces`, the table of Tinybird's set-up guide: of Observa's older bodies, one request to a model each, and of the
 * calls of models among its events, so that the queries of the guide see what newer SDKs send.
 *
 * Must stay true: whose a row is, the key says; what has no column of its own is in `metadata_json`.
 */

import { AppError } from '@glasshouse/model';
import { checkJsonDepth } from '../json-depth.ts';
import type { CanonicalEvent } from './events.ts';
import type { Fields, Owner, Row } from './form.ts';
import { countOf, ENVIRONMENTS, Findings, isFields, optionalText, textOf, timeOf } from './form.ts';
import { Refusal } from './refusal.ts';

const MAX_STATUS = 0xffff;

/**
 * The trace of an older body. Throws `Refusal` with what is wrong, and `forbidden` for one of somebody else.
 */
export function readTrace(body: Buffer, owner: Owner): { readonly traceId: string; readonly row: Row } {
  const text = body.toString('utf8');
  checkJsonDepth(text);
  const trace = parsed(text);
  checkOwner(trace, owner);
  const findings = new Findings();
  for (const field of ['traceId', 'spanId'])
    if (typeof trace[field] !== 'string' || trace[field] === '') findings.add(field, 'must be a text');
  for (const field of ['query', 'response'])
    if (typeof trace[field] !== 'string') findings.add(field, 'must be a text');
  const timestamp = timeOf(trace['timestamp']);
  if (timestamp === undefined) findings.add('timestamp', 'must be an ISO 8601 time');
  const latency = countOf(trace['latencyMs']);
  if (latency === null) findings.add('latencyMs', 'must be a number of milliseconds');
  for (const field of ['metadata', 'headers'])
    if (!isFields(trace[field] ?? {})) findings.add(field, 'must be an object');
  const environment = owner.environment ?? trace['environment'];
  if (!ENVIRONMENTS.includes(environment)) findings.add('environment', 'must be dev or prod');
  if (!findings.isClean) throw new Refusal(400, 'INVALID_PAYLOAD', 'Validation failed', findings.errors);
  const { conversationId, sessionId, userId, messageIndex, parentMessageId } = trace;
  const metadata = { ...(trace['metadata'] as Fields | undefined) };
  const others = { conversationId, sessionId, userId, messageIndex, parentMessageId };
  const response = textOf(trace['response']);
  const row = {
    ...{ tenant_id: owner.tenant, project_id: owner.project, environment },
    timestamp,
    trace_id: trace['traceId'],
    span_id: trace['spanId'],
    parent_span_id: optionalText(trace['parentSpanId']),
    query: trace['query'],
    context: optionalText(trace['context']),
    model: optionalText(trace['model']),
    metadata_json: JSON.stringify({ ...others, ...metadata }),
    response,
    response_length: countOf(trace['responseLength']) ?? response.length,
    tokens_prompt: countOf(trace['tokensPrompt']),
    tokens_completion: countOf(trace['tokensCompletion']),
    tokens_total: countOf(trace['tokensTotal']),
    latency_ms: latency,
    ttfb_ms: countOf(trace['timeToFirstTokenMs']),
    streaming_ms: countOf(trace['streamingDurationMs']),
    status: countOf(trace['status'], MAX_STATUS),
    status_text: optionalText(trace['statusText']),
    finish_reason: optionalText(trace['finishReason']),
    response_id: optionalText(trace['responseId']),
    system_fingerprint: optionalText(trace['systemFingerprint']),
    headers_json: JSON.stringify(trace['headers'] ?? {}),
  };
  return { traceId: String(trace['traceId']), row };
}

/** The row of an event that is a call of a model; undefined for any other. */
export function traceOf({ type, attributes, row }: CanonicalEvent): Row | undefined {
  const call = attributes['llm_call'];
  if (type !== 'llm_call' || !isFields(call)) return undefined;
  const {
    model,
    input,
    output,
    input_tokens,
    output_tokens,
    total_tokens,
    latency_ms,
    time_to_first_token_ms,
    streaming_duration_ms,
    finish_reason,
    response_id,
    system_fingerprint,
    ...rest
  } = call;
  const { tenant_id, project_id, environment, timestamp, trace_id, span_id, parent_span_id } = row;
  const { conversation_id, session_id, user_id } = row;
  const others = Object.entries({ conversation_id, session_id, user_id, ...rest });
  const response = textOf(output);
  return {
    ...{ tenant_id, project_id, environment, timestamp, trace_id, span_id, parent_span_id },
    query: textOf(input),
    context: null,
    model: optionalText(model),
    metadata_json: JSON.stringify(Object.fromEntries(others.filter(([, value]) => value !== null && value !== ''))),
    response,
    response_length: response.length,
    tokens_prompt: countOf(input_tokens),
    tokens_completion: countOf(output_tokens),
    tokens_total: countOf(total_tokens),
    latency_ms: countOf(latency_ms) ?? 0,
    ttfb_ms: countOf(time_to_first_token_ms),
    streaming_ms: countOf(streaming_duration_ms),
    status: null,
    status_text: null,
    finish_reason: optionalText(finish_reason),
    response_id: optionalText(response_id),
    system_fingerprint: optionalText(system_fingerprint),
    headers_json: '{}',
  };
}

/** Throws `forbidden` for a trace that names somebody else than the key does. */
function checkOwner(trace: Fields, { tenant, project, environment }: Owner): void {
  for (const [field, expected] of Object.entries({ tenantId: tenant, projectId: project, environment })) {
    const given = trace[field];
    if (expected !== undefined && given !== undefined && given !== null && given !== expected)
      throw new AppError('forbidden', `cannot take the trace: ${field} must be that of the API key, ${expected}`);
  }
}

function parsed(text: string): Fields {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined;
  }
  if (isFields(value)) return value;
  throw new Refusal(400, 'INVALID_PAYLOAD', 'Validation failed', [{ field: '', message: 'must be a JSON object' }]);
}
