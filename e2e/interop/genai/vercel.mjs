// @ts-nocheck -- its packages are not those of the product: see support/node-environment.ts
/* oxlint-disable typescript/no-unsafe-argument, typescript/no-unsafe-call, typescript/no-unsafe-member-access, typescript/no-unsafe-return -- the same */

/**
 * The Vercel AI SDK with its telemetry, unmodified.
 *
 * usage: vercel.mjs 6|7 OTLP_URL MODEL_URL; prints how each call ended.
 */

import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base';
import { NodeTracerProvider } from '@opentelemetry/sdk-trace-node';
import { z } from 'zod';

const [version, otlp, model] = process.argv.slice(2);
const provider = new NodeTracerProvider({
  resource: resourceFromAttributes({ 'service.name': 'vercel', 'project.name': `js-vercel-${version}` }),
  spanProcessors: [new SimpleSpanProcessor(new OTLPTraceExporter({ url: `${otlp}/v1/traces` }))],
});
provider.register();

const { embed, generateText, streamText, tool, registerTelemetry } = await import(version === '6' ? 'ai-6' : 'ai');
const { createOpenAI } = await import(version === '6' ? 'ai-sdk-openai-3' : '@ai-sdk/openai');
const metadata = { userId: 'user-7', sessionId: 'session-7', plan: 'free' };
let telemetry = { experimental_telemetry: { isEnabled: true, functionId: 'e2e', metadata } };
if (version === '7') {
  const { OpenTelemetry } = await import('@ai-sdk/otel');
  registerTelemetry(new OpenTelemetry());
  telemetry = { telemetry: { functionId: 'e2e' } };
}

const openai = createOpenAI({ baseURL: `${model}/v1`, apiKey: 'sk-none' });
const wish = (prompt, kind = openai.chat('gpt-4o-mini')) => ({
  model: kind,
  system: 'Be brief.',
  prompt,
  maxRetries: 0,
  ...telemetry,
});
const weather = tool({
  description: 'Weather of a city',
  inputSchema: z.object({ city: z.string() }),
  execute: async () => 'sunny',
});

async function textOf({ textStream }) {
  let whole = '';
  for await (const text of textStream) whole += text;
  return whole;
}

const ended = {
  whole: (await generateText(wish('whole'))).text,
  stream: await textOf(streamText(wish('stream'))),
  tools: (await generateText({ ...wish('tools'), tools: { weather } })).toolCalls[0].toolName,
  failure: await generateText(wish('fail')).then(
    () => 'none',
    (error) => error.name,
  ),
  responses: (await generateText(wish('responses', openai('gpt-4o-mini')))).text,
  embedding: (await embed({ model: openai.textEmbedding('text-embedding-3-small'), value: 'embed', ...telemetry }))
    .embedding.length,
};
await provider.forceFlush();
await provider.shutdown();
console.log(JSON.stringify(ended));
