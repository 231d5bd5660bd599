// @ts-nocheck -- its packages are not those of the product: see support/node-environment.ts
/* oxlint-disable import/no-commonjs, typescript/no-require-imports, typescript/no-unsafe-assignment, typescript/no-unsafe-call, typescript/no-unsafe-member-access, typescript/no-unsafe-return, typescript/use-unknown-in-catch-callback-variable -- the same */

/**
 * OpenAI's client with an instrumentation, unmodified.
 *
 * usage: openai.cjs otel|openinference OTLP_URL MODEL_URL; prints how each call ended.
 */

const { OTLPTraceExporter } = require('@opentelemetry/exporter-trace-otlp-proto');
const { registerInstrumentations } = require('@opentelemetry/instrumentation');
const { resourceFromAttributes } = require('@opentelemetry/resources');
const { SimpleSpanProcessor } = require('@opentelemetry/sdk-trace-base');
const { NodeTracerProvider } = require('@opentelemetry/sdk-trace-node');

const [kind, otlp, model] = process.argv.slice(2);

const provider = new NodeTracerProvider({
  resource: resourceFromAttributes({ 'service.name': kind, 'project.name': `js-${kind}` }),
  spanProcessors: [new SimpleSpanProcessor(new OTLPTraceExporter({ url: `${otlp}/v1/traces` }))],
});
provider.register();
const { OpenAIInstrumentation } = require(
  kind === 'otel' ? '@opentelemetry/instrumentation-openai' : '@arizeai/openinference-instrumentation-openai',
);
registerInstrumentations({ instrumentations: [new OpenAIInstrumentation({ captureMessageContent: true })] });
const { OpenAI } = require('openai');

const client = new OpenAI({ baseURL: `${model}/v1`, apiKey: 'sk-none', maxRetries: 0 });
const messages = (content) => [
  { role: 'system', content: 'Be brief.' },
  { role: 'user', content },
];
const tools = [
  {
    type: 'function',
    function: {
      name: 'weather',
      description: 'Weather of a city',
      parameters: { type: 'object', properties: { city: { type: 'string' } } },
    },
  },
];

async function main() {
  const ended = {};
  const chat = (content, more = {}) =>
    client.chat.completions.create({ model: 'gpt-4o-mini', messages: messages(content), ...more });
  ended.whole = (await chat('whole')).choices[0].message.content;
  ended.stream = '';
  for await (const part of await chat('stream', { stream: true, stream_options: { include_usage: true } })) {
    ended.stream += part.choices[0]?.delta?.content ?? '';
  }
  ended.tools = (await chat('tools', { tools })).choices[0].message.tool_calls[0].function.name;
  ended.failure = await chat('fail').then(
    () => 'none',
    (error) => error.constructor.name,
  );
  ended.embedding = (await client.embeddings.create({ model: 'text-embedding-3-small', input: 'embed' })).data.length;
  if (kind === 'openinference') {
    ended.responses = (await client.responses.create({ model: 'gpt-4o-mini', input: 'responses' })).output_text;
  }
  await provider.forceFlush();
  await provider.shutdown();
  console.log(JSON.stringify(ended));
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
