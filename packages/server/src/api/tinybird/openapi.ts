/**
 * OpenAPI 3 of the endpoints that a token may call: `GET /v0/pipes/openapi.json` (https://spec.openapis.org/oas/v3.0.3).
 *
 * Must stay true: an endpoint that the token may not call is not in it, and no statement is.
 */

import type { TemplateParameter } from '../../platform/endpoints-templates.ts';
import type { Route } from '../../http/router.ts';
import { sendJson } from '../../http/router.ts';
import { endpointOf } from '../../platform/endpoints.ts';
import type { Endpoints } from '../../platform/endpoints.ts';
import type { Platform } from '../../platform/platform.ts';
import type { PipeEntry } from '../../platform/resource-row.ts';
import { baseUrl, guarded } from './call.ts';
import { ENDPOINT_FORMATS } from './endpoint-formats.ts';

type Json = Readonly<Record<string, unknown>>;

export interface OpenApiParts {
  readonly platform: Platform;
  readonly endpoints: Endpoints;
}

export function openApiRoutes({ platform, endpoints }: OpenApiParts): Route[] {
  return [
    guarded(platform, 'GET', '/v0/pipes/openapi.json', (call) => {
      const { principal, response } = call;
      const entries = endpoints.callables
        .pipes(principal.tenant)
        .filter((entry) => endpointOf(entry.definition) !== undefined && principal.may('PIPES:READ', entry));
      sendJson(response, 200, documentOf(entries, endpoints, principal.tenant, baseUrl(call)));
    }),
  ];
}

function documentOf(entries: readonly PipeEntry[], endpoints: Endpoints, tenant: string, base: string): Json {
  const paths = entries.flatMap((entry) => {
    const parameters = endpoints.parametersOf(tenant, entry.definition);
    return Object.keys(ENDPOINT_FORMATS).map((ending) => [
      `/v0/pipes/${entry.name}.${ending}`,
      pathOf(entry, ending, parameters),
    ]);
  });
  return {
    openapi: '3.0.3',
    info: { title: `Endpoints of ${tenant}`, version: '1.0.0' },
    servers: [{ url: base }],
    security: [{ bearer: [] }, { token: [] }],
    paths: Object.fromEntries(paths) as Json,
    components: {
      securitySchemes: {
        bearer: { type: 'http', scheme: 'bearer' },
        token: { type: 'apiKey', in: 'query', name: 'token' },
      },
      schemas: { Error: ERROR, Result: RESULT },
    },
  };
}

function pathOf(entry: PipeEntry, ending: string, parameters: readonly TemplateParameter[]): Json {
  const { description } = entry.definition;
  const common = {
    summary: entry.name,
    ...(description === undefined ? {} : { description }),
    tags: [entry.name],
    responses: responsesOf(ending),
  };
  const properties = Object.fromEntries(parameters.map((parameter) => [parameter.name, described(parameter)]));
  const required = parameters.filter((parameter) => parameter.required).map(({ name }) => name);
  const schema = { type: 'object', properties, ...(required.length === 0 ? {} : { required }) };
  return {
    get: {
      ...common,
      operationId: `${entry.name}_${ending}`,
      parameters: [...parameters.map(queryParameter), OVER],
    },
    post: {
      ...common,
      operationId: `post_${entry.name}_${ending}`,
      requestBody: {
        content: { 'application/json': { schema }, 'application/x-www-form-urlencoded': { schema } },
      },
    },
  };
}

function queryParameter(parameter: TemplateParameter): Json {
  const { name, required, description, example } = parameter;
  const schema = schemaOf(parameter);
  return {
    name,
    in: 'query',
    required,
    ...(description === undefined ? {} : { description }),
    ...(example === undefined ? {} : { example }),
    ...(schema['type'] === 'array' ? { style: 'form', explode: false } : {}),
    schema,
  };
}

const OVER = {
  name: 'q',
  in: 'query',
  required: false,
  description: 'SQL over the result, which it names _',
  schema: { type: 'string' },
};

function described(parameter: TemplateParameter): Json {
  const { description } = parameter;
  return { ...schemaOf(parameter), ...(description === undefined ? {} : { description }) };
}

/** The schema of a parameter, by the type that the template reads it as. */
function schemaOf(parameter: TemplateParameter): Json {
  const item = /^Array\((.*)\)$/u.exec(parameter.type)?.[1];
  const { default: fallback, format, enum: choices } = parameter;
  const own = item === undefined ? typeSchema(parameter.type) : { type: 'array', items: typeSchema(item) };
  return {
    ...own,
    ...(fallback === undefined ? {} : { default: item === undefined ? fallback : listOf(fallback) }),
    ...(choices === undefined ? {} : { enum: choices }),
    ...(format === undefined ? {} : { 'x-format': format }),
  };
}

function listOf(value: unknown): unknown {
  return typeof value === 'string' ? value.split(',') : value;
}

function typeSchema(type: string): Json {
  if (/^U?Int(?:8|16|32)$|^Int(?:eger)?$/u.test(type)) return { type: 'integer', format: 'int32' };
  if (/^U?Int64$/u.test(type)) return { type: 'integer', format: 'int64' };
  if (/^U?Int(?:128|256)$/u.test(type)) return { type: 'string', pattern: '^-?[0-9]+$' };
  switch (type) {
    case 'Float32':
      return { type: 'number', format: 'float' };
    case 'Float64':
      return { type: 'number', format: 'double' };
    case 'Boolean':
      return { type: 'boolean' };
    case 'Date':
      return { type: 'string', format: 'date' };
    case 'DateTime':
    case 'DateTime64':
      // With a blank between day and time, which the format date-time does not have.
      return { type: 'string', example: type === 'DateTime' ? '2026-01-02 03:04:05' : '2026-01-02 03:04:05.678' };
    case 'UUID':
      return { type: 'string', format: 'uuid' };
    default:
      return { type: 'string' };
  }
}

function responsesOf(ending: string): Json {
  const contentType = ENDPOINT_FORMATS[ending]?.contentType ?? 'text/plain';
  const schema = ending === 'json' ? { $ref: '#/components/schemas/Result' } : { type: 'string' };
  const failed = (text: string): Json => ({
    description: text,
    content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } },
  });
  return {
    200: { description: 'The result', content: { [contentType]: { schema } } },
    400: failed('A parameter is missing or wrong'),
    403: failed('The token may not call the endpoint'),
    404: failed('There is no such endpoint'),
    408: failed('The query took too long'),
    429: failed('Too many requests'),
  };
}

const ERROR: Json = { type: 'object', properties: { error: { type: 'string' } }, required: ['error'] };

const RESULT: Json = {
  type: 'object',
  properties: {
    meta: {
      type: 'array',
      items: { type: 'object', properties: { name: { type: 'string' }, type: { type: 'string' } } },
    },
    data: { type: 'array', items: { type: 'object' } },
    rows: { type: 'integer' },
    rows_before_limit_at_least: { type: 'integer' },
    statistics: {
      type: 'object',
      properties: {
        elapsed: { type: 'number' },
        rows_read: { type: 'integer' },
        bytes_read: { type: 'integer' },
      },
    },
  },
};
