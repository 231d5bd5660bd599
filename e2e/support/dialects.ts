/** The same call in the words of each dialect, with what a dialect has no words for. */

import type { Conversation } from './conversations.ts';

/** Whose the report is: ids that are the report's own. */
export interface Report {
  readonly startMs: number;
  /** 32 and 16 hexadecimal digits. */
  readonly traceId: string;
  readonly spanId: string;
  readonly responseId: string;
  readonly callId: string;
}

export type Attributes = Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>;

/** What is compared of a generation, beside its cost. */
export type Fact =
  | 'answer'
  | 'cached'
  | 'calls'
  | 'finish'
  | 'firstToken'
  | 'prompt'
  | 'provider'
  | 'reasoning'
  | 'responseId'
  | 'status'
  | 'streaming'
  | 'used';

interface Common {
  readonly name: string;
  /** What it cannot carry. */
  readonly lacks: readonly Fact[];
  /** Kinds of calls that it has a word for. */
  readonly operations: readonly Conversation['operation'][];
  /** Counts that are not parts of the totals. */
  readonly exclusive?: readonly ('cached' | 'reasoning')[];
}

export type Dialect = Common &
  (
    | {
        readonly scope: string;
        readonly span: (call: Conversation, report: Report) => Attributes;
        /** Name of the event of the span that tells of the first token. */
        readonly firstToken?: string;
      }
    | { readonly source: string; readonly line: (call: Conversation, report: Report) => object }
  );

const ALL = ['chat', 'embeddings'] as const;

const messages = ({ prompt }: Conversation): string => JSON.stringify([{ role: 'user', content: prompt }]);
/** The call of a tool that is asked for. */
export const TOOL_CALL = { id: 'call_1', arguments: '{"city":"Berlin"}' };

/** Messages in parts, as OpenTelemetry has them since v1.37. */
function answers({ answer, tool, finish }: Conversation): string | undefined {
  const parts = [
    ...(answer === '' ? [] : [{ type: 'text', content: answer }]),
    ...(tool === undefined
      ? []
      : [{ type: 'tool_call', id: TOOL_CALL.id, name: tool, arguments: JSON.parse(TOOL_CALL.arguments) as unknown }]),
  ];
  return parts.length === 0 ? undefined : JSON.stringify([{ role: 'assistant', parts, finish_reason: finish }]);
}

/** Calls as OpenAI's chat has them; undefined if there are none. */
const openAiCalls = ({ tool }: Conversation): readonly object[] | undefined =>
  tool === undefined
    ? undefined
    : [{ id: TOOL_CALL.id, type: 'function', function: { name: tool, arguments: TOOL_CALL.arguments } }];
const some = (text: string): string | undefined => (text === '' ? undefined : text);
const isStream = ({ firstTokenMs }: Conversation): boolean => firstTokenMs !== undefined;
const totalOf = ({ input, output = 0 }: Conversation): number | undefined =>
  input === undefined ? undefined : input + output;

function genAi(call: Conversation, { responseId }: Report): Attributes {
  const { firstTokenMs } = call;
  return {
    'gen_ai.operation.name': call.operation,
    'gen_ai.provider.name': call.provider,
    'gen_ai.request.model': call.requested,
    'gen_ai.response.model': some(call.used),
    'gen_ai.response.id': responseId,
    'gen_ai.usage.input_tokens': call.input,
    'gen_ai.usage.output_tokens': call.output,
    'gen_ai.response.finish_reasons': call.finish === '' ? undefined : [call.finish],
    'gen_ai.request.stream': isStream(call),
    'gen_ai.response.time_to_first_chunk': firstTokenMs === undefined ? undefined : firstTokenMs / 1_000,
    'gen_ai.input.messages': messages(call),
    'gen_ai.output.messages': answers(call),
  };
}

function openInference(call: Conversation, { responseId }: Report): Attributes {
  const embeds = call.operation === 'embeddings';
  return {
    'openinference.span.kind': embeds ? 'EMBEDDING' : 'LLM',
    'llm.system': call.provider,
    [embeds ? 'embedding.model_name' : 'llm.model_name']: call.used === '' ? call.requested : call.used,
    'llm.invocation_parameters': JSON.stringify({ model: call.requested, stream: isStream(call) }),
    'llm.finish_reason': some(call.finish),
    'llm.token_count.prompt': call.input,
    'llm.token_count.completion': call.output,
    'llm.token_count.total': totalOf(call),
    'llm.token_count.prompt_details.cache_read': call.cached,
    'llm.token_count.completion_details.reasoning': call.reasoning,
    'llm.input_messages.0.message.role': 'user',
    'llm.input_messages.0.message.content': call.prompt,
    ...(call.answer === ''
      ? {}
      : { 'llm.output_messages.0.message.role': 'assistant', 'llm.output_messages.0.message.content': call.answer }),
    ...(call.tool === undefined
      ? {}
      : {
          'llm.output_messages.0.message.tool_calls.0.tool_call.id': TOOL_CALL.id,
          'llm.output_messages.0.message.tool_calls.0.tool_call.function.name': call.tool,
          'llm.output_messages.0.message.tool_calls.0.tool_call.function.arguments': TOOL_CALL.arguments,
        }),
    'output.value': JSON.stringify({ id: responseId }),
  };
}

function vercel(call: Conversation, { responseId }: Report): Attributes {
  const inner =
    call.operation === 'embeddings'
      ? 'embed.doEmbed'
      : isStream(call)
        ? 'streamText.doStream'
        : 'generateText.doGenerate';
  return {
    'ai.operationId': `ai.${inner}`,
    'ai.model.provider': call.operation === 'embeddings' ? `${call.provider}.embedding` : `${call.provider}.chat`,
    'ai.model.id': call.requested,
    'ai.response.model': some(call.used),
    'ai.response.id': responseId,
    'ai.response.finishReason': some(call.finish),
    'ai.response.text': some(call.answer),
    'ai.response.toolCalls':
      call.tool === undefined
        ? undefined
        : JSON.stringify([{ toolCallId: TOOL_CALL.id, toolName: call.tool, input: TOOL_CALL.arguments }]),
    'ai.response.msToFirstChunk': call.firstTokenMs,
    'ai.prompt.messages': messages(call),
    'ai.usage.inputTokens': call.input,
    'ai.usage.outputTokens': call.output,
    'ai.usage.cachedInputTokens': call.cached,
    'ai.usage.reasoningTokens': call.reasoning,
  };
}

function openLlmetry(call: Conversation, { responseId }: Report): Attributes {
  return {
    'llm.request.type': call.operation === 'embeddings' ? 'embedding' : 'chat',
    'gen_ai.system': call.provider,
    'gen_ai.request.model': call.requested,
    'gen_ai.response.model': some(call.used),
    'gen_ai.response.id': responseId,
    'gen_ai.prompt.0.role': 'user',
    'gen_ai.prompt.0.content': call.prompt,
    'gen_ai.completion.0.finish_reason': some(call.finish),
    ...(call.answer === ''
      ? {}
      : { 'gen_ai.completion.0.role': 'assistant', 'gen_ai.completion.0.content': call.answer }),
    ...(call.tool === undefined
      ? {}
      : {
          'gen_ai.completion.0.tool_calls.0.id': TOOL_CALL.id,
          'gen_ai.completion.0.tool_calls.0.name': call.tool,
          'gen_ai.completion.0.tool_calls.0.arguments': TOOL_CALL.arguments,
        }),
    'gen_ai.usage.prompt_tokens': call.input,
    'gen_ai.usage.completion_tokens': call.output,
    'gen_ai.usage.cache_read_input_tokens': call.cached,
    'gen_ai.usage.reasoning_tokens': call.reasoning,
    'llm.is_streaming': isStream(call),
  };
}

function langfuse(call: Conversation, { startMs }: Report): Attributes {
  const { input, cached = 0, output, reasoning = 0, firstTokenMs } = call;
  const usage = {
    ...(input === undefined ? {} : { input: input - cached }),
    ...(call.cached === undefined ? {} : { input_cached_tokens: cached }),
    ...(output === undefined ? {} : { output: output - reasoning }),
    ...(call.reasoning === undefined ? {} : { output_reasoning_tokens: reasoning }),
  };
  return {
    'langfuse.observation.type': call.operation === 'embeddings' ? 'embedding' : 'generation',
    'langfuse.observation.model.name': call.requested,
    'langfuse.observation.model.parameters': JSON.stringify({ stream: isStream(call) }),
    'langfuse.observation.usage_details': JSON.stringify(usage),
    'langfuse.observation.completion_start_time':
      firstTokenMs === undefined ? undefined : JSON.stringify(new Date(startMs + firstTokenMs)),
    'langfuse.observation.input': messages(call),
    'langfuse.observation.output':
      call.answer === '' && call.tool === undefined
        ? undefined
        : JSON.stringify({ role: 'assistant', content: call.answer, tool_calls: openAiCalls(call) }),
  };
}

function event(call: Conversation, { startMs }: Report): object {
  return {
    start_time: new Date(startMs).toISOString(),
    end_time: new Date(startMs + call.latencyMs).toISOString(),
    provider: call.provider,
    stream: isStream(call),
    standard_logging_object_status: call.error === undefined ? 'success' : 'failure',
    exception: call.error ?? '',
  };
}

function response(call: Conversation, { responseId }: Report): object {
  const { input, output, cached, reasoning } = call;
  const message = {
    role: 'assistant',
    content: call.answer === '' ? null : call.answer,
    tool_calls: openAiCalls(call),
  };
  return {
    id: responseId,
    ...(call.used === '' ? {} : { model: call.used }),
    ...(call.finish === '' ? {} : { choices: [{ index: 0, finish_reason: call.finish, message }] }),
    usage: {
      prompt_tokens: input,
      completion_tokens: output,
      total_tokens: totalOf(call),
      ...(cached === undefined ? {} : { prompt_tokens_details: { cached_tokens: cached } }),
      ...(reasoning === undefined ? {} : { completion_tokens_details: { reasoning_tokens: reasoning } }),
    },
  };
}

const ofOperation = (call: Conversation, chat: string, embedding: string): string =>
  call.operation === 'chat' ? chat : embedding;

/** A UUID of version 4 with these 16 hexadecimal digits in it. */
const uuid = (digits: string): string =>
  `${digits.slice(0, 8)}-${digits.slice(8, 12)}-4000-8000-${digits.slice(12).padEnd(12, '0')}`;

export const DIALECTS: readonly Dialect[] = [
  {
    name: 'otel',
    scope: 'test',
    lacks: [],
    operations: ALL,
    span: (call, report) => ({
      ...genAi(call, report),
      'gen_ai.usage.cache_read.input_tokens': call.cached,
      'gen_ai.usage.reasoning.output_tokens': call.reasoning,
    }),
  },
  {
    name: 'openinference',
    scope: 'test',
    lacks: [],
    operations: ALL,
    span: openInference,
    firstToken: 'First Token Stream Event',
  },
  { name: 'vercel', scope: 'ai', lacks: [], operations: ALL, span: vercel },
  {
    name: 'openllmetry',
    scope: 'test',
    lacks: [],
    operations: ALL,
    span: openLlmetry,
    firstToken: 'llm.content.completion.chunk',
  },
  {
    name: 'langfuse',
    scope: 'langfuse-sdk',
    lacks: ['finish', 'provider', 'responseId', 'used'],
    operations: ALL,
    exclusive: ['cached', 'reasoning'],
    span: langfuse,
  },
  {
    name: 'pydantic',
    scope: 'pydantic-ai',
    lacks: [],
    operations: ALL,
    span: (call, report) => ({
      ...genAi(call, report),
      'gen_ai.usage.details.cached_tokens': call.cached,
      'gen_ai.usage.details.reasoning_tokens': call.reasoning,
    }),
  },
  {
    name: 'llm_events',
    source: 'llm_events',
    lacks: ['firstToken'],
    operations: ALL,
    line: (call, report) => ({
      ...event(call, report),
      message_id: report.callId,
      model: call.requested,
      messages: JSON.parse(messages(call)) as unknown,
      response: response(call, report),
      call_type: ofOperation(call, 'completion', 'embedding'),
    }),
  },
  {
    name: 'litellm',
    source: 'litellm',
    lacks: ['firstToken'],
    operations: ALL,
    line: (call, report) => ({
      ...event(call, report),
      standard_logging_object_id: report.callId,
      model: call.requested,
      messages: JSON.parse(messages(call)) as unknown,
      // As the text of it, which its handler sends now and then.
      response: JSON.stringify(response(call, report)),
      call_type: ofOperation(call, 'acompletion', 'aembedding'),
      cache_hit: null,
    }),
  },
  {
    name: 'text_events',
    source: 'text_events',
    lacks: ['answer', 'calls', 'finish', 'firstToken', 'prompt', 'responseId'],
    operations: ['chat'],
    exclusive: ['cached', 'reasoning'],
    line: (call, report) => ({
      ...event(call, report),
      id: report.callId,
      model_requested: call.requested,
      model_used: call.used,
      token_count_prompt_text: call.input === undefined ? undefined : call.input - (call.cached ?? 0),
      token_count_prompt_cached: call.cached,
      token_count_completion_text: call.output === undefined ? undefined : call.output - (call.reasoning ?? 0),
      token_count_completion_reasoning: call.reasoning,
    }),
  },
  {
    name: 'traces',
    source: 'traces',
    lacks: ['cached', 'calls', 'provider', 'reasoning', 'streaming', 'used'],
    operations: ['chat'],
    line: (call, report) => ({
      ...{ tenant_id: 'local', project_id: 'chat', environment: 'prod', context: null, parent_span_id: null },
      timestamp: new Date(report.startMs).toISOString().replace('T', ' ').slice(0, -1),
      trace_id: report.traceId,
      span_id: report.spanId,
      query: call.prompt,
      model: call.requested,
      metadata_json: '{}',
      response: call.answer,
      response_length: call.answer.length,
      headers_json: '{}',
      tokens_prompt: call.input,
      tokens_completion: call.output,
      tokens_total: totalOf(call),
      latency_ms: call.latencyMs,
      ttfb_ms: call.firstTokenMs,
      status: call.error === undefined ? 200 : 429,
      finish_reason: call.finish,
      response_id: report.responseId,
    }),
  },
  {
    name: 'observa',
    source: 'observa',
    lacks: ['status'],
    operations: ALL,
    line: (call, report) => ({
      event_type: ofOperation(call, 'llm_call', 'embedding'),
      timestamp: new Date(report.startMs).toISOString(),
      trace_id: uuid(report.traceId.slice(16)),
      span_id: uuid(report.spanId),
      attributes: {
        [ofOperation(call, 'llm_call', 'embedding')]: {
          provider: call.provider,
          model: call.requested,
          response_model: call.used,
          input_tokens: call.input,
          cache_read_tokens: call.cached,
          output_tokens: call.output,
          reasoning_tokens: call.reasoning,
          latency_ms: call.latencyMs,
          time_to_first_token_ms: call.firstTokenMs,
          streaming: isStream(call),
          finish_reason: call.finish,
          response_id: report.responseId,
          error: call.error,
          input: call.prompt,
          output: call.answer,
          tool_calls: openAiCalls(call),
        },
      },
    }),
  },
];
