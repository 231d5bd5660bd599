/**
 * The columns of a generation: one row is one call of a model, whoever reports it. A table, because the engine's table, the
 * mapping of every dialect and the reference page all follow it.
 *
 * Must stay true: what is not reported is absent (NULL, or empty for texts) and never 0; counts are the client's own, and which
 * totals contain which parts is said by `usage_dialect`.
 */

/**
 * What a column holds, and so how a source's text becomes its value: `placed` comes with the request's key, `priced` is filled
 * in by whoever prices the row; the others are read from what the client sent.
 */
export type ColumnKind = 'placed' | 'priced' | 'time' | 'text' | 'json' | 'count' | 'number' | 'flag' | 'money';

export interface GenerationColumn {
  readonly name: string;
  readonly kind: ColumnKind;
  /** Type in the engine. */
  readonly type: string;
  /** Unit, empty where there is none. */
  readonly unit: string;
  readonly comment: string;
  /** Field of the usage that prices are calculated from; its unit is the column's. */
  readonly usage?: string;
}

const NAME = 'LowCardinality(String)';

const placed = (name: string, comment: string): GenerationColumn => column(name, 'placed', NAME, '', comment);
const priced = (name: string, type: string, unit: string, comment: string): GenerationColumn =>
  column(name, 'priced', type, unit, comment);
const time = (name: string, comment: string): GenerationColumn =>
  column(name, 'time', "Nullable(DateTime64(9, 'UTC'))", '', comment);
const term = (name: string, comment: string): GenerationColumn => column(name, 'text', NAME, '', comment);
const text = (name: string, comment: string): GenerationColumn => column(name, 'text', 'String', '', comment);
const json = (name: string, comment: string): GenerationColumn => column(name, 'json', 'String', '', comment);
const flag = (name: string, comment: string): GenerationColumn => column(name, 'flag', 'Nullable(Bool)', '', comment);
const count = (name: string, unit: string, comment: string, usage?: string): GenerationColumn => ({
  ...column(name, 'count', 'Nullable(UInt64)', unit, comment),
  ...(usage === undefined ? {} : { usage }),
});
const milliseconds = (name: string, comment: string): GenerationColumn =>
  column(name, 'number', 'Nullable(Float64)', 'ms', comment);
const money = (name: string, comment: string): GenerationColumn =>
  column(name, 'money', 'Nullable(Decimal(38, 12))', 'USD', comment);

function column(name: string, kind: ColumnKind, type: string, unit: string, comment: string): GenerationColumn {
  return { name, kind, type, unit, comment };
}

export const GENERATION_COLUMNS = [
  placed('tenant_id', 'Tenant'),
  placed('project_id', 'Project of the API key'),
  placed('environment', 'Environment of the API key'),
  time('time', 'When the request was made'),
  term('dialect', 'Dialect in which the call was reported'),
  term('usage_dialect', 'Rule of counting: which totals contain which parts'),
  term('organization', 'Organization, as the client says it'),
  term('project_name', 'Project, as the client says it'),
  term('service_name', 'Service that made the call, as the client says it'),
  term('deployment_environment', 'Environment, as the client says it'),
  term('event_type', "The client's own word for what happened"),
  term('operation', 'chat, text_completion, embeddings, image_generation, speech, transcription, video_generation, …'),
  term('modality', 'What came out: text, embedding, image, audio, video'),
  term('provider', 'Provider, as the client says it'),
  term('model_requested', 'Model that was asked for'),
  term('model_used', 'Model that answered'),
  count('input_tokens', 'tokens', 'Input', 'inputTokens'),
  count('cache_read_tokens', 'tokens', 'Input read from the cache', 'cacheReadTokens'),
  count('cache_write_tokens', 'tokens', 'Input written to the cache, for however long', 'cacheWriteTokens'),
  count('cache_write_5m_tokens', 'tokens', 'Input written to the cache for five minutes', 'cacheWrite5mTokens'),
  count('cache_write_1h_tokens', 'tokens', 'Input written to the cache for an hour', 'cacheWrite1hTokens'),
  count('output_tokens', 'tokens', 'Output', 'outputTokens'),
  count('reasoning_tokens', 'tokens', 'Output that is thinking', 'reasoningTokens'),
  count('total_tokens', 'tokens', "The client's own sum", 'totalTokens'),
  count('input_audio_tokens', 'tokens', 'Audio in', 'inputAudioTokens'),
  count('output_audio_tokens', 'tokens', 'Audio out', 'outputAudioTokens'),
  count('input_image_tokens', 'tokens', 'Images in', 'inputImageTokens'),
  count('output_image_tokens', 'tokens', 'Images out', 'outputImageTokens'),
  count('images', 'images', 'Images made', 'images'),
  count('image_width', 'px', 'Width of the images made'),
  count('image_height', 'px', 'Height of the images made'),
  term('image_quality', 'Quality of the images made'),
  count('characters', 'characters', 'Characters spoken or translated', 'characters'),
  count('audio_ms', 'ms', 'Audio heard or spoken, where it is billed by time', 'audioMs'),
  count('video_ms', 'ms', 'Video made', 'videoMs'),
  count('pages', 'pages', 'Pages read', 'pages'),
  count('searches', 'searches', 'Searches of the web that the provider made', 'searches'),
  milliseconds('latency_ms', 'From the request to the end of the answer'),
  milliseconds('time_to_first_token_ms', 'From the request to the first part of the answer'),
  flag('streaming', 'Whether the answer was streamed'),
  flag('cache_hit', "Whether a client's or gateway's own cache answered"),
  term('status', 'ok or error'),
  count('http_status', '', 'HTTP status of the answer'),
  term('error_class', 'Class or type of the error'),
  text('error_message', 'Message of the error'),
  term('finish_reason', 'Why the answer ended'),
  text('user_id', 'User'),
  text('session_id', 'Session'),
  text('conversation_id', 'Conversation or chat'),
  term('tier', "Service tier of the provider, or the user's tier where the client sends that"),
  text('referrer', 'Where the request came from'),
  text('trace_id', 'Trace id, as the client wrote it; 32 hexadecimal digits for spans'),
  text('span_id', 'Span id, as the client wrote it; 16 hexadecimal digits for spans'),
  text('parent_span_id', 'Parent span id'),
  text('call_id', "The client's id of the call"),
  text('response_id', "The provider's id of the answer"),
  json('prompt', 'What went in: messages as JSON, or a text'),
  json('completion', 'What came out: messages as JSON, or a text'),
  json('tool_calls', 'Calls of tools that the answer asks for, as JSON'),
  json('metadata', 'Metadata of the client, as JSON'),
  json('tags', 'Tags, as JSON'),
  money('client_cost', 'What the client says that it cost'),
  priced('cost', 'Nullable(Decimal(38, 12))', 'USD', 'What it cost; NULL if unknown'),
  priced('cost_parts', 'Map(LowCardinality(String), Decimal(38, 12))', 'USD', 'Cost by kind of quantity'),
  priced('price_row', NAME, '', 'Row of prices that applied, empty if none did'),
  priced('price_version', NAME, '', 'Version of the table of prices'),
] as const satisfies readonly GenerationColumn[];

/** Columns that a dialect may fill, in the order of a row's values. */
export const MAPPED_COLUMNS: readonly GenerationColumn[] = GENERATION_COLUMNS.filter(
  ({ kind }) => kind !== 'placed' && kind !== 'priced',
);

/** Where a column's value is among a row's values. Throws for a column that no dialect fills. */
export function placeOf(name: (typeof GENERATION_COLUMNS)[number]['name']): number {
  const place = MAPPED_COLUMNS.findIndex((column) => column.name === name);
  if (place < 0) throw new Error(`BUG: no dialect fills the column ${name}`);
  return place;
}
