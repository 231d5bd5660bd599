/**
 * The Vercel AI SDK with its telemetry, unmodified.
 *
 * usage: vercel.mjs OTLP_URL MODEL_URL; prints how each call ended.
 */

import { createOpenAI } from '@ai-sdk/openai';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base';
import { NodeTracerProvider } from '@opentelemetry/sdk-trace-node';
import { embed, generateObject, generateText, streamText, tool } from 'ai';
import { z } from 'zod';

const [otlp, model] = process.argv.slice(2);
const provider = new NodeTracerProvider({
  resource: resourceFromAttributes({ 'service.name': 'js-vercel' }),
  spanProcessors: [new SimpleSpanProcessor(new OTLPTraceExporter({ url: `${otlp}/v1/traces` }))],
});
provider.register();

const openai = createOpenAI({ baseURL: `${model}/v1`, apiKey: 'sk-none' });
const experimental_telemetry = {
  isEnabled: true,
  functionId: 'e2e',
  metadata: { userId: 'user-7', sessionId: 'session-7', plan: 'free' },
};
const wish = (prompt, kind = openai.chat('gpt-4o-mini')) => ({
  model: kind,
  system: 'Be brief.',
  prompt,
  maxRetries: 0,
  experimental_telemetry,
});
const weather = tool({
  description: 'Weather of a city',
  inputSchema: z.object({ city: z.string() }),
  execute: async () => 'sunny',
});

const ended = {};
ended.whole = (await generateText(wish('whole'))).text;
ended.stream = '';
const streamed = streamText(wish('stream'));
for await (const text of streamed.textStream) ended.stream += text;
ended.tools = (await generateText({ ...wish('tools'), tools: { weather } })).toolCalls[0].toolName;
ended.failure = await generateText(wish('fail')).then(
  () => 'none',
  (error) => error.name,
);
ended.responses = (await generateText(wish('responses', openai('gpt-4o-mini')))).text;
ended.responsesStream = '';
for await (const text of streamText(wish('responses stream', openai('gpt-4o-mini'))).textStream) {
  ended.responsesStream += text;
}
ended.embedding = (
  await embed({ model: openai.textEmbedding('text-embedding-3-small'), value: 'embed', experimental_telemetry })
).embedding.length;
void generateObject;
await provider.forceFlush();
await provider.shutdown();
console.log(JSON.stringify(ended));
