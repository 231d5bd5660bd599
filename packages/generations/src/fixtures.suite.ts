/**
 * One conversation, as each client reports it, and the row that it has to be. What a dialect cannot carry, and what it carries in
 * another form, is said beside it.
 */

import type { GenerationRecord, RowValue, SpanRecord } from './read.ts';

export interface Fixture {
  readonly title: string;
  readonly dialect: string;
  readonly record: GenerationRecord;
  /** Columns of the expected row that the dialect has no place for. */
  readonly lacks: readonly string[];
  /** Columns that are other than expected, and what they are. */
  readonly differs?: Readonly<Record<string, RowValue>>;
}

const START = '2026-01-02T03:04:05.678Z';
const END = '2026-01-02T03:04:07.178Z';
const MESSAGES = [{ role: 'user', content: 'Hello' }];
const CALL = { id: 'call_1', name: 'weather', arguments: '{"city":"Berlin"}' };
/** As flattened lists become it. */
const ANSWER = [{ role: 'assistant', content: 'Hi there', tool_calls: [CALL] }];
/** Messages in parts, as OpenTelemetry has them since v1.37. */
const PARTS = JSON.stringify([
  {
    role: 'assistant',
    parts: [
      { type: 'reasoning', content: 'Hm' },
      { type: 'text', content: 'Hi there' },
      { type: 'tool_call', id: CALL.id, name: CALL.name, arguments: { city: 'Berlin' } },
    ],
    finish_reason: 'stop',
  },
]);
/** Calls as OpenAI's chat has them. */
const OPENAI_CALLS = [{ id: CALL.id, type: 'function', function: { name: CALL.name, arguments: CALL.arguments } }];
const START_NS = BigInt(Date.parse(START)) * 1_000_000n;
const NS = START_NS.toString();
const FIRST_TOKEN_NS = START_NS + 250_000_000n;

/** The conversation: 100 tokens in, 20 of them cached; 50 out, 10 of them thinking. */
export const EXPECTED: Readonly<Record<string, RowValue>> = {
  time: NS,
  operation: 'chat',
  modality: 'text',
  provider: 'openai',
  model_requested: 'gpt-5',
  model_used: 'gpt-5-2025-08-07',
  input_tokens: 100,
  cache_read_tokens: 20,
  output_tokens: 50,
  reasoning_tokens: 10,
  total_tokens: 150,
  latency_ms: 1500,
  time_to_first_token_ms: 250,
  streaming: true,
  status: 'ok',
  finish_reason: 'stop',
  user_id: 'alice',
  session_id: 'session-1',
  conversation_id: 'chat-1',
  trace_id: '01020304050607080102030405060708',
  span_id: '1112131415161718',
  response_id: 'chatcmpl-1',
  prompt: JSON.stringify(MESSAGES),
  completion: JSON.stringify(ANSWER),
  tool_calls: JSON.stringify([CALL]),
  client_cost: '1250000000',
};

function span(attributes: Omit<SpanRecord, 'fields'>, scope = 'test'): SpanRecord {
  return {
    fields: {
      timestamp: NS,
      duration_ns: '1500000000',
      trace_id: '01020304050607080102030405060708',
      span_id: '1112131415161718',
      name: 'chat gpt-5',
      status_code: '1',
      scope_name: scope,
      resource_attributes: JSON.stringify({ 'service.name': 'test', 'deployment.environment': 'prod' }),
    },
    ...attributes,
    string: { 'session.id': 'session-1', 'user.id': 'alice', ...attributes.string },
  };
}

const GEN_AI = {
  'gen_ai.operation.name': 'chat',
  'gen_ai.request.model': 'gpt-5',
  'gen_ai.response.model': 'gpt-5-2025-08-07',
  'gen_ai.response.id': 'chatcmpl-1',
  'gen_ai.conversation.id': 'chat-1',
};
const GEN_AI_USAGE = {
  'gen_ai.usage.input_tokens': 100,
  'gen_ai.usage.output_tokens': 50,
  'gen_ai.usage.total_tokens': 150,
  'gen_ai.usage.cache_read.input_tokens': 20,
  'gen_ai.usage.reasoning.output_tokens': 10,
};
const FINISH = { 'gen_ai.response.finish_reasons': '["stop"]' };
const TIMING = { 'gen_ai.response.time_to_first_chunk': 0.25, 'gen_ai.usage.cost': 0.00125 };
const USAGE = {
  prompt_tokens: 100,
  completion_tokens: 50,
  total_tokens: 150,
  prompt_tokens_details: { cached_tokens: 20 },
  completion_tokens_details: { reasoning_tokens: 10 },
};
const RESPONSE = {
  id: 'chatcmpl-1',
  object: 'chat.completion',
  model: 'gpt-5-2025-08-07',
  usage: USAGE,
  choices: [
    { index: 0, finish_reason: 'stop', message: { role: 'assistant', content: 'Hi there', tool_calls: OPENAI_CALLS } },
  ],
};
const EVENT_LACKS = ['time_to_first_token_ms', 'session_id', 'trace_id', 'span_id'];
const EVENT = {
  start_time: START,
  end_time: END,
  provider: 'openai',
  user: 'alice',
  stream: true,
  standard_logging_object_status: 'success',
  cost: 0.00125,
};

export const FIXTURES: readonly Fixture[] = [
  {
    title: 'OpenTelemetry from v1.37',
    dialect: 'otel',
    lacks: [],
    differs: { completion: PARTS },
    record: span({
      string: { ...GEN_AI, 'gen_ai.provider.name': 'openai', 'gen_ai.input.messages': JSON.stringify(MESSAGES) },
      int: GEN_AI_USAGE,
      double: TIMING,
      bool: { 'gen_ai.request.stream': true },
      json: { ...FINISH, 'gen_ai.output.messages': PARTS },
    }),
  },
  {
    title: 'Vercel AI SDK from version 7',
    dialect: 'otel',
    lacks: ['total_tokens', 'reasoning_tokens', 'client_cost', 'conversation_id'],
    differs: { completion: PARTS },
    record: span(
      {
        string: {
          'gen_ai.operation.name': 'chat',
          'gen_ai.provider.name': 'openai',
          'gen_ai.request.model': 'gpt-5',
          'gen_ai.response.model': 'gpt-5-2025-08-07',
          'gen_ai.response.id': 'chatcmpl-1',
          'gen_ai.input.messages': JSON.stringify(MESSAGES),
          'gen_ai.output.messages': PARTS,
        },
        int: {
          'gen_ai.usage.input_tokens': 100,
          'gen_ai.usage.output_tokens': 50,
          'gen_ai.usage.cache_read.input_tokens': 20,
        },
        double: { 'gen_ai.client.operation.time_to_first_chunk': 0.25, 'gen_ai.client.operation.duration': 1.5 },
        json: FINISH,
      },
      'gen_ai',
    ),
  },
  {
    title: 'OpenTelemetry up to v1.36, with messages as events',
    dialect: 'otel',
    lacks: [
      'cache_read_tokens',
      'reasoning_tokens',
      'time_to_first_token_ms',
      'streaming',
      'client_cost',
      'total_tokens',
    ],
    // What an event says of calls is in a column of its own.
    differs: { completion: '[{"role":"assistant","content":"Hi there"}]' },
    record: span({
      string: { ...GEN_AI, 'gen_ai.system': 'openai' },
      int: { 'gen_ai.usage.prompt_tokens': 100, 'gen_ai.usage.completion_tokens': 50 },
      events: [
        { name: 'gen_ai.user.message', attributes: '{"content":"Hello"}' },
        { name: 'log', attributes: '{}' },
        {
          name: 'gen_ai.choice',
          attributes: JSON.stringify({
            index: 0,
            finish_reason: 'stop',
            message: { content: 'Hi there', tool_calls: OPENAI_CALLS },
          }),
        },
      ],
    }),
  },
  {
    title: 'OpenInference',
    dialect: 'openinference',
    lacks: ['conversation_id', 'response_id'],
    record: span({
      string: {
        'openinference.span.kind': 'LLM',
        'llm.provider': 'openai',
        'llm.request.model_name': 'gpt-5',
        'llm.response.model_name': 'gpt-5-2025-08-07',
        'llm.finish_reason': 'stop',
        'llm.input_messages.0.message.role': 'user',
        'llm.input_messages.0.message.content': 'Hello',
        'llm.output_messages.0.message.role': 'assistant',
        'llm.output_messages.0.message.content': 'Hi there',
        'llm.output_messages.0.message.tool_calls.0.tool_call.id': CALL.id,
        'llm.output_messages.0.message.tool_calls.0.tool_call.function.name': CALL.name,
        'llm.output_messages.0.message.tool_calls.0.tool_call.function.arguments': CALL.arguments,
      },
      events: [{ name: 'First Token Stream Event', attributes: '{}', time: FIRST_TOKEN_NS }],
      int: {
        'llm.token_count.prompt': 100,
        'llm.token_count.completion': 50,
        'llm.token_count.total': 150,
        'llm.token_count.prompt_details.cache_read': 20,
        'llm.token_count.completion_details.reasoning': 10,
      },
      double: { 'llm.cost.total': 0.00125 },
    }),
  },
  {
    title: 'Vercel AI SDK',
    dialect: 'vercel',
    lacks: ['conversation_id', 'client_cost'],
    differs: { completion: 'Hi there' },
    record: span({
      string: {
        'ai.operationId': 'ai.streamText.doStream',
        'ai.model.id': 'gpt-5',
        'ai.model.provider': 'openai',
        'ai.response.model': 'gpt-5-2025-08-07',
        'ai.response.id': 'chatcmpl-1',
        'ai.response.finishReason': 'stop',
        'ai.response.text': 'Hi there',
        'ai.response.toolCalls': JSON.stringify([{ toolCallId: CALL.id, toolName: CALL.name, input: CALL.arguments }]),
        'ai.prompt.messages': JSON.stringify(MESSAGES),
      },
      int: {
        'ai.usage.inputTokens': 100,
        'ai.usage.outputTokens': 50,
        'ai.usage.totalTokens': 150,
        'ai.usage.cachedInputTokens': 20,
        'ai.usage.reasoningTokens': 10,
      },
      double: { 'ai.response.msToFirstChunk': 250 },
    }),
  },
  {
    title: 'OpenLLMetry',
    dialect: 'openllmetry',
    lacks: ['client_cost'],
    record: span({
      events: [1n, 2n].map((piece) => ({
        name: 'llm.content.completion.chunk',
        attributes: '{}',
        time: START_NS + piece * 250_000_000n,
      })),
      string: {
        'llm.request.type': 'chat',
        'gen_ai.system': 'openai',
        'gen_ai.request.model': 'gpt-5',
        'gen_ai.response.model': 'gpt-5-2025-08-07',
        'gen_ai.response.id': 'chatcmpl-1',
        'gen_ai.prompt.0.role': 'user',
        'gen_ai.prompt.0.content': 'Hello',
        'gen_ai.completion.0.role': 'assistant',
        'gen_ai.completion.0.content': 'Hi there',
        'gen_ai.completion.0.finish_reason': 'stop',
        'gen_ai.completion.0.tool_calls.0.id': CALL.id,
        'gen_ai.completion.0.tool_calls.0.name': CALL.name,
        'gen_ai.completion.0.tool_calls.0.arguments': CALL.arguments,
        'traceloop.association.properties.chat_id': 'chat-1',
      },
      int: {
        'gen_ai.usage.prompt_tokens': 100,
        'gen_ai.usage.completion_tokens': 50,
        'llm.usage.total_tokens': 150,
        'gen_ai.usage.cache_read_input_tokens': 20,
        'gen_ai.usage.reasoning_tokens': 10,
      },
      bool: { 'llm.is_streaming': true },
    }),
  },
  {
    title: 'OpenLLMetry from v0.60',
    dialect: 'openllmetry',
    lacks: ['client_cost', 'conversation_id'],
    differs: { completion: PARTS },
    record: span(
      {
        events: [{ name: 'gen_ai.content.completion.chunk', attributes: '{}', time: FIRST_TOKEN_NS }],
        string: {
          'gen_ai.operation.name': 'chat',
          'gen_ai.provider.name': 'openai',
          'gen_ai.request.model': 'gpt-5',
          'gen_ai.response.model': 'gpt-5-2025-08-07',
          'gen_ai.response.id': 'chatcmpl-1',
          'gen_ai.input.messages': JSON.stringify(MESSAGES),
          'gen_ai.output.messages': PARTS,
          'openai.response.service_tier': 'default',
        },
        int: {
          'gen_ai.usage.input_tokens': 100,
          'gen_ai.usage.output_tokens': 50,
          'gen_ai.usage.total_tokens': 150,
          'gen_ai.usage.cache_read.input_tokens': 20,
          'gen_ai.usage.reasoning_tokens': 10,
        },
        bool: { 'gen_ai.is_streaming': true },
        json: FINISH,
      },
      'opentelemetry.instrumentation.openai.v1',
    ),
  },
  {
    title: "LiteLLM's callback for OpenTelemetry",
    dialect: 'openllmetry',
    lacks: [
      'time_to_first_token_ms',
      'conversation_id',
      'finish_reason',
      'cache_read_tokens',
      'reasoning_tokens',
      'prompt',
      'completion',
      'tool_calls',
    ],
    differs: { call_id: '9fad1d9c-e2f5-4644-8d32-36e52a419c9c' },
    record: span(
      {
        string: {
          'llm.request.type': 'completion',
          'gen_ai.system': 'openai',
          'gen_ai.request.model': 'gpt-5',
          'gen_ai.response.model': 'gpt-5-2025-08-07',
          'gen_ai.response.id': 'chatcmpl-1',
          'llm.is_streaming': 'True',
          'llm.user': 'alice',
          'litellm.call_id': '9fad1d9c-e2f5-4644-8d32-36e52a419c9c',
          // Not JSON.
          'metadata.usage_object': "{'prompt_tokens_details': {'audio_tokens': None, 'cached_tokens': 20}}",
        },
        int: { 'gen_ai.usage.input_tokens': 100, 'gen_ai.usage.output_tokens': 50, 'gen_ai.usage.total_tokens': 150 },
        double: { 'gen_ai.cost.total_cost': 0.00125 },
      },
      'litellm',
    ),
  },
  {
    title: "Anthropic's SDK",
    dialect: 'otel',
    lacks: ['conversation_id', 'total_tokens', 'reasoning_tokens', 'prompt', 'completion', 'tool_calls', 'client_cost'],
    differs: { provider: 'anthropic', cache_write_tokens: 5, finish_reason: 'end_turn', http_status: 200 },
    record: span(
      {
        string: {
          'gen_ai.operation.name': 'chat',
          'gen_ai.provider.name': 'anthropic',
          'gen_ai.request.model': 'gpt-5',
          'gen_ai.response.model': 'gpt-5-2025-08-07',
          'gen_ai.response.id': 'chatcmpl-1',
          'anthropic.message.stop_reason': 'end_turn',
          'http.route': '/v1/messages',
        },
        int: {
          'gen_ai.usage.input_tokens': 100,
          'gen_ai.usage.output_tokens': 50,
          'gen_ai.usage.cache_read.input_tokens': 20,
          'gen_ai.usage.cache_write.input_tokens': 5,
          'http.response.status_code': 200,
        },
        double: { 'gen_ai.response.time_to_first_chunk': 0.25 },
        bool: { 'gen_ai.request.stream': true },
      },
      'com.anthropic.sdk.python',
    ),
  },
  {
    title: 'OpenInference as its instrumentation of OpenAI for Python writes it',
    dialect: 'openinference',
    lacks: ['time_to_first_token_ms', 'conversation_id', 'streaming', 'client_cost'],
    // Messages are counted from one, and are in parts.
    differs: {
      tier: 'default',
      finish_reason: 'tool_calls',
      prompt: JSON.stringify([
        {
          role: 'user',
          content: [
            { type: 'text', text: 'Hello' },
            { type: 'image', url: 'https://example.com/a.png' },
          ],
        },
      ]),
      completion: JSON.stringify([{ role: 'assistant', content: '', tool_calls: [CALL] }]),
    },
    record: span({
      string: {
        'openinference.span.kind': 'LLM',
        'llm.system': 'openai',
        'llm.model_name': 'gpt-5-2025-08-07',
        'llm.invocation_parameters': '{"model": "gpt-5"}',
        'llm.finish_reason': 'tool_calls',
        'llm.input_messages.1.message.role': 'user',
        'llm.input_messages.1.message.contents.0.message_content.type': 'text',
        'llm.input_messages.1.message.contents.0.message_content.text': 'Hello',
        'llm.input_messages.1.message.contents.1.message_content.type': 'image',
        'llm.input_messages.1.message.contents.1.message_content.image.image.url': 'https://example.com/a.png',
        'llm.output_messages.0.message.role': 'assistant',
        'llm.output_messages.0.message.tool_calls.0.tool_call.id': CALL.id,
        'llm.output_messages.0.message.tool_calls.0.tool_call.function.name': CALL.name,
        'llm.output_messages.0.message.tool_calls.0.tool_call.function.arguments': CALL.arguments,
        'output.value': '{"id":"chatcmpl-1","service_tier":"default","choices":[]}',
      },
      int: {
        'llm.token_count.prompt': 100,
        'llm.token_count.completion': 50,
        'llm.token_count.total': 150,
        'llm.token_count.prompt_details.cache_read': 20,
        'llm.token_count.completion_details.reasoning': 10,
      },
    }),
  },
  {
    title: 'Langfuse',
    dialect: 'langfuse',
    lacks: ['conversation_id', 'finish_reason', 'response_id', 'provider'],
    // Its keys exclude each other, and it has one name for the model.
    differs: {
      input_tokens: 80,
      output_tokens: 40,
      model_requested: 'gpt-5-2025-08-07',
      completion: JSON.stringify({ role: 'assistant', content: 'Hi there', tool_calls: OPENAI_CALLS }),
    },
    record: span({
      string: {
        'langfuse.observation.type': 'generation',
        'langfuse.observation.model.name': 'gpt-5-2025-08-07',
        'langfuse.observation.model.parameters': '{"stream":true}',
        'langfuse.observation.usage_details':
          '{"input":80,"input_cached_tokens":20,"output":40,"output_reasoning_tokens":10,"total":150}',
        'langfuse.observation.cost_details': '{"total":0.00125}',
        'langfuse.observation.completion_start_time': '"2026-01-02T03:04:05.928Z"',
        'langfuse.observation.input': JSON.stringify(MESSAGES),
        'langfuse.observation.output': JSON.stringify({
          role: 'assistant',
          content: 'Hi there',
          tool_calls: OPENAI_CALLS,
        }),
      },
    }),
  },
  {
    title: 'Pydantic AI',
    dialect: 'pydantic',
    lacks: ['time_to_first_token_ms', 'streaming', 'total_tokens'],
    differs: { completion: PARTS },
    record: span(
      {
        string: {
          ...GEN_AI,
          'gen_ai.system': 'openai',
          'gen_ai.input.messages': JSON.stringify(MESSAGES),
          'gen_ai.output.messages': PARTS,
        },
        int: {
          'gen_ai.usage.input_tokens': 100,
          'gen_ai.usage.output_tokens': 50,
          'gen_ai.usage.details.cached_tokens': 20,
          'gen_ai.usage.details.reasoning_tokens': 10,
        },
        double: { 'operation.cost': 0.00125 },
        json: FINISH,
      },
      'pydantic-ai',
    ),
  },
  {
    title: 'llm_events',
    dialect: 'llm_events',
    lacks: EVENT_LACKS,
    differs: { completion: 'Hi there' },
    record: JSON.stringify({
      ...EVENT,
      message_id: 'message-1',
      model: 'gpt-5',
      messages: MESSAGES,
      response: RESPONSE,
      call_type: 'completion',
      log_event_type: 'chat_completion',
      proxy_metadata: { organization: 'pollinations', chat_id: 'chat-1' },
    }),
  },
  {
    title: 'llm_events, with the columns of the plan for one tracker and nothing else',
    dialect: 'llm_events',
    lacks: [
      ...EVENT_LACKS,
      'model_used',
      'cache_read_tokens',
      'reasoning_tokens',
      'total_tokens',
      'streaming',
      'finish_reason',
      'conversation_id',
      'response_id',
      'prompt',
      'completion',
      'tool_calls',
    ],
    differs: { time: `${BigInt(Date.parse(END)) * 1_000_000n}` },
    record: JSON.stringify({
      event_type: 'text_generation',
      model: 'gpt-5',
      provider: 'openai',
      duration: 1500,
      cost: 0.00125,
      status: 'success',
      user_id: 'alice',
      tier: 'seed',
      timestamp: END,
      prompt_tokens: 100,
      completion_tokens: 50,
    }),
  },
  {
    title: 'LiteLLM, its response as text',
    dialect: 'litellm',
    lacks: EVENT_LACKS,
    differs: { completion: 'Hi there' },
    record: JSON.stringify({
      ...EVENT,
      start_time: '2026-01-02T03:04:05.678000',
      end_time: '2026-01-02T03:04:07.178000',
      standard_logging_object_id: 'object-1',
      model: 'gpt-5',
      messages: MESSAGES,
      response: JSON.stringify(RESPONSE),
      call_type: 'acompletion',
      cache_hit: null,
      proxy_metadata: { chat_id: 'chat-1' },
    }),
  },
  {
    title: 'text_events',
    dialect: 'text_events',
    lacks: [
      ...EVENT_LACKS,
      'conversation_id',
      'finish_reason',
      'response_id',
      'prompt',
      'completion',
      'tool_calls',
      'total_tokens',
      'reasoning_tokens',
    ],
    // Text of the prompt is what is left without cached tokens.
    differs: { input_tokens: 80 },
    record: JSON.stringify({
      ...EVENT,
      id: 'request-1',
      model_requested: 'gpt-5',
      model_used: 'gpt-5-2025-08-07',
      token_count_prompt_text: 80,
      token_count_prompt_cached: 20,
      token_count_completion_text: 50,
    }),
  },
  {
    title: 'Observa',
    dialect: 'observa',
    lacks: ['status'],
    record: JSON.stringify({
      tenant_id: 't',
      project_id: 'p',
      event_type: 'llm_call',
      timestamp: START,
      trace_id: EXPECTED['trace_id'],
      span_id: EXPECTED['span_id'],
      user_id: 'alice',
      session_id: 'session-1',
      conversation_id: 'chat-1',
      attributes: {
        llm_call: {
          provider: 'openai',
          model: 'gpt-5',
          response_model: 'gpt-5-2025-08-07',
          input_tokens: 100,
          cache_read_tokens: 20,
          output_tokens: 50,
          reasoning_tokens: 10,
          total_tokens: 150,
          latency_ms: 1500,
          time_to_first_token_ms: 250,
          streaming: true,
          finish_reason: 'stop',
          response_id: 'chatcmpl-1',
          input_messages: MESSAGES,
          output_messages: ANSWER,
          tool_calls: OPENAI_CALLS,
          cost: 0.00125,
        },
      },
    }),
  },
  {
    title: 'a row of traces',
    dialect: 'traces',
    lacks: [
      'provider',
      'model_used',
      'cache_read_tokens',
      'reasoning_tokens',
      'streaming',
      'tool_calls',
      'client_cost',
    ],
    differs: { prompt: 'Hello', completion: 'Hi there' },
    record: JSON.stringify({
      tenant_id: 't',
      project_id: 'p',
      environment: 'prod',
      timestamp: '2026-01-02 03:04:05.678',
      trace_id: EXPECTED['trace_id'],
      span_id: EXPECTED['span_id'],
      query: 'Hello',
      model: 'gpt-5',
      metadata_json: '{"user_id":"alice","session_id":"session-1","conversation_id":"chat-1"}',
      response: 'Hi there',
      response_length: 8,
      tokens_prompt: 100,
      tokens_completion: 50,
      tokens_total: 150,
      latency_ms: 1500,
      ttfb_ms: 250,
      status: 200,
      finish_reason: 'stop',
      response_id: 'chatcmpl-1',
      headers_json: '{}',
    }),
  },
];
