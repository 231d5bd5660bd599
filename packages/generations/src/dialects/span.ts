/**
 * What every span has, whatever its attributes are called: times, ids, status, and the attributes of OpenTelemetry's general
 * conventions (`user.id`, `session.id`, `error.type`, exception events; semantic conventions 1.36 to 1.42). Taken by the dialects
 * over spans behind their own sources.
 */

import { between, event, field, momentOf, number, read, resource, text, type Source } from '../source.ts';
import { SPAN_STATUS } from '../words.ts';

/**
 * The first token as an event of the span: OpenInference, OpenLLMetry (one event for each piece, its names since and before 0.60), Vercel,
 * and a name that several instrumentations without a convention share.
 */
const FIRST_TOKEN = momentOf(
  'First Token Stream Event',
  'gen_ai.content.completion.chunk',
  'llm.content.completion.chunk',
  'ai.stream.firstChunk',
  'gen_ai.first_token',
);

export const SPAN = {
  time: [field('timestamp', 'nanoseconds')],
  latency_ms: [field('duration_ns', 'nanoseconds')],
  time_to_first_token_ms: [between(field('timestamp', 'nanoseconds'), FIRST_TOKEN)],
  // Only streams tell of it.
  streaming: [read(FIRST_TOKEN, 'present')],
  trace_id: [field('trace_id')],
  span_id: [field('span_id')],
  parent_span_id: [field('parent_span_id')],
  event_type: [field('name')],
  status: [read(field('status_code'), { words: SPAN_STATUS })],
  http_status: [number('http.response.status_code'), number('http.status_code')],
  error_class: [text('error.type'), event('exception', 'exception.type')],
  error_message: [
    field('status_message'),
    text('error.message'),
    event('exception', 'exception.message'),
    event('gen_ai.client.operation.exception', 'exception.message'),
  ],
  user_id: [text('user.id'), text('enduser.id')],
  session_id: [text('session.id')],
  organization: [resource('service.organization')],
  project_name: [resource('project.name'), resource('service.namespace')],
  service_name: [resource('service.name')],
  deployment_environment: [resource('deployment.environment.name'), resource('deployment.environment')],
} as const satisfies Readonly<Record<string, readonly Source[]>>;
