/**
 * The telemetry that `send-test` sends, as OTLP/JSON (opentelemetry-proto, OTLP specification section "JSON Protobuf
 * Encoding"): a shop's checkout that works, and one that fails. Pure, so that a test can send the same.
 */

export interface Sample {
  readonly traces: unknown;
  readonly logs: unknown;
  readonly metrics: unknown;
  readonly traceIds: readonly string[];
  readonly counts: { readonly spans: number; readonly logs: number; readonly points: number };
}

type AttributeValue = string | number | boolean | readonly string[];
type Attributes = Readonly<Record<string, AttributeValue>>;

const SEVERITY = { INFO: 9, WARN: 13, ERROR: 17 } as const;
const KIND = { internal: 1, server: 2, client: 3 } as const;
const CUMULATIVE = 2;

/** `run` becomes the attribute `glasshouse.test.run` of every span, record and point; `randomHex(bytes)` makes ids. */
export function makeSample(run: string, nowMs: number, randomHex: (bytes: number) => string): Sample {
  const nano = (offsetMs: number): string => `${BigInt(Math.round(nowMs + offsetMs)) * 1_000_000n}`;
  const resource = (service: string): unknown => ({
    attributes: attributes({
      'service.name': service,
      'service.version': '1.4.2',
      'service.namespace': 'glasshouse-test',
      'deployment.environment.name': 'test',
      'host.name': 'send-test',
    }),
  });
  const tagged = (values: Attributes): unknown => attributes({ ...values, 'glasshouse.test.run': run });
  const scope = { name: 'glasshouse.send-test', version: '1.0.0' };
  const [good, bad] = [randomHex(16), randomHex(16)];
  const [root, payment, model, failed, query] = [randomHex(8), randomHex(8), randomHex(8), randomHex(8), randomHex(8)];

  const shop = [
    {
      traceId: good,
      spanId: root,
      name: 'POST /checkout',
      kind: KIND.server,
      startTimeUnixNano: nano(-480),
      endTimeUnixNano: nano(-40),
      attributes: tagged({
        'http.request.method': 'POST',
        'http.route': '/checkout',
        'http.response.status_code': 200,
        'user.id': 'u-1042',
        'cart.total': 59.9,
        'cart.gift': true,
        'cart.items': ['mug', 'poster'],
      }),
      events: [{ timeUnixNano: nano(-430), name: 'cart.validated', attributes: attributes({ 'cart.size': 2 }) }],
      status: { code: 1 },
    },
    {
      traceId: good,
      spanId: model,
      parentSpanId: root,
      name: 'chat gpt-4o-mini',
      kind: KIND.client,
      startTimeUnixNano: nano(-420),
      endTimeUnixNano: nano(-260),
      attributes: tagged({
        'gen_ai.operation.name': 'chat',
        'gen_ai.request.model': 'gpt-4o-mini',
        'gen_ai.usage.input_tokens': 812,
        'gen_ai.usage.output_tokens': 94,
      }),
      status: {},
    },
    {
      traceId: bad,
      spanId: failed,
      name: 'POST /checkout',
      kind: KIND.server,
      startTimeUnixNano: nano(-220),
      endTimeUnixNano: nano(-20),
      attributes: tagged({
        'http.request.method': 'POST',
        'http.route': '/checkout',
        'http.response.status_code': 500,
        'user.id': 'u-7',
      }),
      status: { code: 2, message: 'the payment was declined' },
    },
    {
      traceId: bad,
      spanId: query,
      parentSpanId: failed,
      name: 'charge card',
      kind: KIND.internal,
      startTimeUnixNano: nano(-180),
      endTimeUnixNano: nano(-60),
      attributes: tagged({ 'payment.provider': 'test' }),
      events: [
        {
          timeUnixNano: nano(-70),
          name: 'exception',
          attributes: attributes({
            'exception.type': 'CardDeclined',
            'exception.message': 'insufficient funds',
            'exception.stacktrace': 'CardDeclined: insufficient funds\n    at charge (pay.js:31)',
          }),
        },
      ],
      status: { code: 2, message: 'insufficient funds' },
    },
  ];
  const pay = [
    {
      traceId: good,
      spanId: payment,
      parentSpanId: root,
      name: 'POST /charge',
      kind: KIND.server,
      startTimeUnixNano: nano(-240),
      endTimeUnixNano: nano(-90),
      attributes: tagged({ 'http.route': '/charge', 'http.response.status_code': 201 }),
      status: { code: 1 },
    },
  ];
  const record = (
    severity: keyof typeof SEVERITY,
    offsetMs: number,
    body: string,
    traceId: string,
    spanId: string,
  ): unknown => ({
    timeUnixNano: nano(offsetMs),
    observedTimeUnixNano: nano(offsetMs),
    severityNumber: SEVERITY[severity],
    severityText: severity,
    body: { stringValue: body },
    attributes: tagged({ 'order.id': 'o-90210' }),
    traceId,
    spanId,
  });
  const points = (values: object): object => ({
    startTimeUnixNano: nano(-60_000),
    timeUnixNano: nano(0),
    attributes: tagged({ 'http.route': '/checkout' }),
    ...values,
  });

  return {
    traceIds: [good, bad],
    counts: { spans: 5, logs: 3, points: 3 },
    traces: {
      resourceSpans: [
        { resource: resource('test-shop'), scopeSpans: [{ scope, spans: shop }] },
        { resource: resource('test-payment'), scopeSpans: [{ scope, spans: pay }] },
      ],
    },
    logs: {
      resourceLogs: [
        {
          resource: resource('test-shop'),
          scopeLogs: [
            {
              scope,
              logRecords: [
                record('INFO', -430, 'order accepted', good, root),
                record('WARN', -260, 'the model took long', good, model),
                record('ERROR', -60, 'the payment was declined: insufficient funds', bad, query),
              ],
            },
          ],
        },
      ],
    },
    metrics: {
      resourceMetrics: [
        {
          resource: resource('test-shop'),
          scopeMetrics: [
            {
              scope,
              metrics: [
                { name: 'shop.carts.open', unit: '{cart}', gauge: { dataPoints: [points({ asInt: '17' })] } },
                {
                  name: 'shop.orders',
                  unit: '{order}',
                  sum: { aggregationTemporality: CUMULATIVE, isMonotonic: true, dataPoints: [points({ asInt: '42' })] },
                },
                {
                  name: 'http.server.request.duration',
                  unit: 's',
                  histogram: {
                    aggregationTemporality: CUMULATIVE,
                    dataPoints: [
                      points({
                        count: '5',
                        sum: 1.31,
                        min: 0.04,
                        max: 0.6,
                        explicitBounds: [0.1, 0.25, 0.5],
                        bucketCounts: ['2', '1', '1', '1'],
                      }),
                    ],
                  },
                },
              ],
            },
          ],
        },
      ],
    },
  };
}

function attributes(values: Attributes): { key: string; value: unknown }[] {
  return Object.entries(values).map(([key, value]) => ({ key, value: anyValue(value) }));
}

function anyValue(value: AttributeValue): unknown {
  if (typeof value === 'string') return { stringValue: value };
  if (typeof value === 'boolean') return { boolValue: value };
  if (typeof value === 'number') return Number.isInteger(value) ? { intValue: String(value) } : { doubleValue: value };
  return { arrayValue: { values: value.map((item) => ({ stringValue: item })) } };
}
