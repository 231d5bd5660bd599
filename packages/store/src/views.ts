/**
 * The faces of the fact tables: views for existing clients. Each is written once, over any source of facts with any filter,
 * and is made twice: in the database `telemetry`, where it shows the tenant that the query's session names, and in each
 * tenant's own database, where it shows that tenant.
 *
 * Must stay true: a view has no row to show unless a tenant is named. Nothing selects from a fact table without the filter.
 */

import { invariant } from '@glasshouse/model';
import { OPTIONAL_TRACE_ID_HEX } from '@glasshouse/schema';
import { quoteName, quoteText } from './ddl.ts';

/** Database of the views that every tenant may name. */
export const SHARED_DATABASE = 'telemetry';

/**
 * The tenant of the session, as a condition on `tenant_id`. The query door ends `log_comment` with `tenant=NAME`, and a
 * reader's session cannot change its settings; without it the expression is empty and matches no tenant.
 */
export const SESSION_TENANT = `tenant_id = extract(getSetting('log_comment'), 'tenant=([a-z0-9][a-z0-9_-]*)$')`;

/** Something that a tenant may read by a name, as if it were a view of its database, and that the engine knows nothing of. */
export interface ListedView {
  readonly name: string;
  /** The table of the tenant's whose columns it has. */
  readonly columnsOf: string;
  /** What it selects. */
  readonly select: string;
}

/** What `log_comment` must be for a query of the tenant, which finds `views` in the catalogue beside what is there. */
export function sessionComment(tenant: string, views: readonly ListedView[] = []): string {
  const listed = views.map(({ name, columnsOf }) => {
    invariant(/^\w+$/u.test(name) && /^\w+$/u.test(columnsOf), `BUG: view=${name} has no plain name`);
    return `view=${name}>${columnsOf} `;
  });
  return `${listed.join('')}tenant=${tenant}`;
}

/**
 * The database of a tenant's own tables and views. No two tenants share one: a name with a hyphen gets two underscores in
 * front, with which no name may begin, and its underscores are escaped.
 */
export function tenantDatabase(tenant: string): string {
  if (!tenant.includes('-')) return `tenant_${tenant}`;
  return `tenant__${tenant.replaceAll('_', '_u').replaceAll('-', '__')}`;
}

/**
 * Views whose name a data source may take in a tenant's database; the shared database keeps them. Everybody who follows the
 * guides of Tinybird's clients sends to a data source `traces`.
 */
export const YIELDING_VIEWS: ReadonlySet<string> = new Set(['traces']);

/** Statements that make (or replace) all views in `database`. */
export function createViews(database: string, facts: string, tenantCondition: string, onCluster: string): string[] {
  return Object.keys(VIEWS).map((name) => createView(name, database, facts, tenantCondition, onCluster));
}

/**
 * Statements that make (or replace) the views in a tenant's database, except those whose name is `taken` by a table. One
 * that yields is made only where nothing has its name, because a data source may take it at this very moment.
 */
export function createTenantViews(
  database: string,
  facts: string,
  tenantCondition: string,
  onCluster: string,
  taken: ReadonlySet<string>,
): string[] {
  return Object.keys(VIEWS)
    .filter((name) => !taken.has(name))
    .map((name) => createView(name, database, facts, tenantCondition, onCluster, YIELDING_VIEWS.has(name)));
}

function createView(
  name: string,
  database: string,
  facts: string,
  tenantCondition: string,
  onCluster: string,
  yields = false,
): string {
  const { select, comment } = VIEWS[name] as View;
  return (
    `CREATE ${yields ? 'VIEW IF NOT EXISTS' : 'OR REPLACE VIEW'} ${quoteName(database)}.${quoteName(name)}${onCluster} AS ` +
    `${select(quoteName(facts), tenantCondition)} COMMENT ${quoteText(comment)}`
  );
}

/** Statements that make (or replace) the views by which a tenant sees its own part of the system tables. */
export function createCatalog(onCluster: string): string[] {
  return Object.entries(CATALOG).map(
    ([name, select]) =>
      `CREATE OR REPLACE VIEW ${quoteName(SHARED_DATABASE)}.${quoteName(name)}${onCluster} AS ${select} COMMENT 'Catalogue'`,
  );
}

/** What a tenant may know of: its own database, which is its session's, and the shared one. */
const VISIBLE = `IN (currentDatabase(), '${SHARED_DATABASE}')`;
const NO_CATALOG = `NOT startsWith(table, 'catalog_')`;
/** What the session's comment lists besides: a row for each, as its name and the table that has its columns. */
const LISTED = `arrayJoin(extractAllGroupsVertical(getSetting('log_comment'), 'view=([A-Za-z0-9_]+)>([A-Za-z0-9_]+) '))`;

/** The catalogue by name: `catalog_x` stands for `system.x`. */
export const CATALOG: Readonly<Record<string, string>> = {
  catalog_databases: `SELECT name, engine, '' AS data_path, '' AS metadata_path, uuid, comment
    FROM system.databases WHERE name ${VISIBLE}`,
  catalog_tables: `SELECT database, name, uuid, engine, is_temporary, CAST([], 'Array(String)') AS data_paths, '' AS metadata_path,
    metadata_modification_time, metadata_version, CAST([], 'Array(String)') AS dependencies_database,
    CAST([], 'Array(String)') AS dependencies_table, '' AS create_table_query, engine AS engine_full, '' AS as_select,
    partition_key, sorting_key, primary_key, sampling_key, total_rows, total_bytes, comment, database AS table_schema, table
    FROM (SELECT *, name AS table FROM system.tables WHERE database ${VISIBLE}) WHERE ${NO_CATALOG}
    UNION ALL SELECT currentDatabase(), view[1], toUUID('00000000-0000-0000-0000-000000000000'), 'View', toUInt8(0), CAST([], 'Array(String)'),
    '', toDateTime(0), toInt32(0), CAST([], 'Array(String)'), CAST([], 'Array(String)'), '', 'View', '', '', '', '', '',
    CAST(NULL, 'Nullable(UInt64)'), CAST(NULL, 'Nullable(UInt64)'), 'Built-in pipe', currentDatabase(), view[1]
    FROM (SELECT ${LISTED} AS view)`,
  catalog_columns: `SELECT database, table, name, type, position, default_kind, default_expression, comment,
    is_in_partition_key, is_in_sorting_key, is_in_primary_key, is_in_sampling_key, compression_codec,
    character_octet_length, numeric_precision, numeric_precision_radix, numeric_scale, datetime_precision
    FROM system.columns WHERE database ${VISIBLE} AND ${NO_CATALOG}
    UNION ALL SELECT database, view[1], name, type, position, '', '', comment, toUInt8(0), toUInt8(0), toUInt8(0), toUInt8(0), '',
    character_octet_length, numeric_precision, numeric_precision_radix, numeric_scale, datetime_precision
    FROM (SELECT *, ${LISTED} AS view FROM system.columns WHERE database = currentDatabase()) WHERE table = view[2]`,
  catalog_functions: `SELECT name, is_aggregate, case_insensitive, alias_to, description, syntax
    FROM system.functions WHERE origin = 'System'`,
  catalog_settings: `SELECT name, value, changed, description, type, readonly FROM system.settings
    WHERE name IN ('readonly', 'max_execution_time', 'max_memory_usage', 'max_result_bytes', 'max_result_rows', 'max_threads')`,
  catalog_data_type_families: 'SELECT name, case_insensitive, alias_to FROM system.data_type_families',
  catalog_formats: 'SELECT name, is_output FROM system.formats WHERE is_output',
};

interface View {
  readonly comment: string;
  /** The SELECT over the facts in database `facts`, limited by `tenant`. */
  readonly select: (facts: string, tenant: string) => string;
}

const hexId = (column: string): string => `lower(hex(${column}))`;
/** An id of zero bytes is no id. */
const hexIdOrEmpty = (column: string, bytes: number): string =>
  column === 'trace_id'
    ? OPTIONAL_TRACE_ID_HEX
    : `if(${column} = toFixedString('', ${bytes}), '', lower(hex(${column})))`;
const hexIds = (column: string): string => `arrayMap(x -> lower(hex(x)), ${column})`;

const TEXT_MAP = 'Map(LowCardinality(String), String)';

/** A JSON object as a map of texts, as clients of older layouts expect attributes: `{"a":1}` becomes `{'a':'1'}`. */
const textMap = (json: string): string => `JSONExtract(${json}, '${TEXT_MAP}')`;
/** A resource attribute as text; the function runs once per entry of the dictionary. */
const resource = (key: string): string => `JSONExtractString(resource_attributes, '${key}')`;
const textMaps = (jsons: string): string => `arrayMap(x -> JSONExtract(x, '${TEXT_MAP}'), ${jsons})`;
const ATTRIBUTES = `CAST(mapConcat(attributes_string,
    mapApply((k, v) -> (k, toString(v)), attributes_int),
    mapApply((k, v) -> (k, toString(v)), attributes_double),
    mapApply((k, v) -> (k, if(v, 'true', 'false')), attributes_bool),
    attributes_json), '${TEXT_MAP}')`;

/** The facts as they are, with ids in hex: what a person writes queries against. */
function factView(table: string, ids: string): View['select'] {
  return (facts, tenant) =>
    `SELECT * EXCEPT (_segment, tenant_id) ${ids === '' ? '' : `REPLACE (${ids})`}, ${textMap('resource_attributes')} AS resource FROM ${facts}.${quoteName(table)} WHERE ${tenant}`;
}

const EXEMPLAR_IDS = `${hexIds('`exemplars.trace_id`')} AS \`exemplars.trace_id\`, ${hexIds('`exemplars.span_id`')} AS \`exemplars.span_id\``;

const SPANS_VIEW: View = {
  comment: 'Spans, ids in hex',
  select: (facts, tenant) => `SELECT * EXCEPT (_segment, tenant_id) REPLACE (
    ${hexId('trace_id')} AS trace_id, ${hexId('span_id')} AS span_id, ${hexIdOrEmpty('parent_span_id', 8)} AS parent_span_id,
    ${hexIds('`links.trace_id`')} AS \`links.trace_id\`, ${hexIds('`links.span_id`')} AS \`links.span_id\`),
    ${textMap('resource_attributes')} AS resource, user_id, session_id
    FROM ${facts}.spans WHERE ${tenant}`,
};

/** The columns of the `telemetry.traces` table that existing dashboards query. */
const TRACES: View = {
  comment: 'Spans in the layout of telemetry.traces',
  select: (facts, tenant) => `SELECT
    ${hexId('trace_id')} AS trace_id,
    ${hexId('span_id')} AS span_id,
    ${hexIdOrEmpty('parent_span_id', 8)} AS parent_span_id,
    timestamp,
    toUInt64(toUnixTimestamp64Nano(timestamp)) AS timestamp_ns,
    toUInt32(least(intDiv(duration_ns, 1000000), 4294967295)) AS duration_ms,
    service_name,
    name AS span_name,
    arrayElement(['SPAN_KIND_UNSPECIFIED', 'SPAN_KIND_INTERNAL', 'SPAN_KIND_SERVER', 'SPAN_KIND_CLIENT',
      'SPAN_KIND_PRODUCER', 'SPAN_KIND_CONSUMER'], kind + 1) AS span_kind,
    if(status_code = 2, 'ERROR', 'OK') AS status_code,
    status_message,
    project_name,
    if(${resource('project.version')} != '', ${resource('project.version')},
      ${resource('service.version')}) AS project_version,
    multiIf(${resource('deployment.environment.name')} != '', ${resource('deployment.environment.name')},
      ${resource('deployment.environment')} != '', ${resource('deployment.environment')},
      environment) AS environment,
    ${resource('host.name')} AS hostname,
    ${ATTRIBUTES} AS attributes,
    if(${resource('user.id')} != '', ${resource('user.id')}, user_id) AS user_id,
    if(${resource('session.id')} != '', ${resource('session.id')}, session_id) AS session_id,
    ${resource('os.type')} AS os_type,
    ${resource('os.version')} AS os_version,
    ${resource('process.runtime.name')} AS runtime_name,
    ${resource('process.runtime.version')} AS runtime_version,
    ${resource('cloud.provider')} AS cloud_provider,
    ${resource('cloud.region')} AS cloud_region,
    ${resource('cloud.availability_zone')} AS cloud_availability_zone,
    scope_name AS instrumentation_library_name,
    scope_version AS instrumentation_library_version
    FROM (SELECT *, user_id, session_id FROM ${facts}.spans WHERE ${tenant})`,
};

/** One row per call: where two reports of a call came, the first. */
const GENERATIONS_VIEW: View = {
  comment: 'Calls of models, with their cost',
  select: (facts, tenant) =>
    `SELECT * EXCEPT (_segment, tenant_id, duplicate) FROM ${facts}.generations WHERE ${tenant} AND NOT duplicate`,
};

/** The hourly roll-up. Its GROUP BY is that of the projection `red_hourly`, which the engine answers it from. */
const METRICS_HOURLY: View = {
  comment: 'Spans by hour, project and service: counts, errors, latency quantiles',
  select: (facts, tenant) => `SELECT
    hour AS timestamp, project_id, environment, project_name, service_name,
    total AS total_count, errors AS error_count,
    duration_sum / total / 1e6 AS avg_duration_ms, duration_max / 1e6 AS max_duration_ms,
    q[1] / 1e6 AS p50_duration_ms, q[2] / 1e6 AS p95_duration_ms, q[3] / 1e6 AS p99_duration_ms
    FROM (SELECT project_id, environment, project_name, service_name, toStartOfHour(timestamp) AS hour,
      count() AS total, countIf(status_code = 2) AS errors, sum(duration_ns) AS duration_sum,
      max(duration_ns) AS duration_max, quantilesTDigest(0.5, 0.95, 0.99)(duration_ns) AS q
      FROM ${facts}.spans WHERE ${tenant}
      GROUP BY tenant_id, project_id, environment, project_name, service_name, toStartOfHour(timestamp))`,
};

const OTEL_TRACES: View = {
  comment: 'Spans in the layout of the OpenTelemetry Collector ClickHouse exporter',
  select: (facts, tenant) => `SELECT
    timestamp AS Timestamp, ${hexId('trace_id')} AS TraceId, ${hexId('span_id')} AS SpanId,
    ${hexIdOrEmpty('parent_span_id', 8)} AS ParentSpanId, trace_state AS TraceState, name AS SpanName,
    arrayElement(['Unspecified', 'Internal', 'Server', 'Client', 'Producer', 'Consumer'], kind + 1) AS SpanKind,
    service_name AS ServiceName, ${textMap('resource_attributes')} AS ResourceAttributes,
    scope_name AS ScopeName, scope_version AS ScopeVersion, ${ATTRIBUTES} AS SpanAttributes,
    duration_ns AS Duration, arrayElement(['Unset', 'Ok', 'Error'], status_code + 1) AS StatusCode,
    status_message AS StatusMessage,
    events.timestamp AS \`Events.Timestamp\`, events.name AS \`Events.Name\`, ${textMaps('events.attributes')} AS \`Events.Attributes\`,
    ${hexIds('links.trace_id')} AS \`Links.TraceId\`, ${hexIds('links.span_id')} AS \`Links.SpanId\`,
    links.trace_state AS \`Links.TraceState\`, ${textMaps('links.attributes')} AS \`Links.Attributes\`
    FROM ${facts}.spans WHERE ${tenant}`,
};

const OTEL_TRACE_TIMES: View = {
  comment: 'First and last span start of each trace',
  select: (facts, tenant) => `SELECT ${hexId('trace_id')} AS TraceId,
    toDateTime(min(timestamp)) AS Start, toDateTime(max(timestamp)) AS End
    FROM ${facts}.spans WHERE ${tenant} GROUP BY TraceId`,
};

const OTEL_LOGS: View = {
  comment: 'Log records in the layout of the OpenTelemetry Collector ClickHouse exporter',
  select: (facts, tenant) => `SELECT
    timestamp AS Timestamp, toDateTime(timestamp) AS TimestampTime,
    ${hexIdOrEmpty('trace_id', 16)} AS TraceId, ${hexIdOrEmpty('span_id', 8)} AS SpanId, toUInt8(flags) AS TraceFlags,
    severity_text AS SeverityText, severity_number AS SeverityNumber, service_name AS ServiceName, body AS Body,
    resource_schema_url AS ResourceSchemaUrl, ${textMap('resource_attributes')} AS ResourceAttributes,
    scope_schema_url AS ScopeSchemaUrl, scope_name AS ScopeName, scope_version AS ScopeVersion,
    ${textMap('scope_attributes')} AS ScopeAttributes, ${ATTRIBUTES} AS LogAttributes, event_name AS EventName
    FROM ${facts}.logs WHERE ${tenant}`,
};

/** What all metric tables of that layout have in common. */
const OTEL_POINT = `${textMap('resource_attributes')} AS ResourceAttributes, resource_schema_url AS ResourceSchemaUrl,
    scope_name AS ScopeName, scope_version AS ScopeVersion, ${textMap('scope_attributes')} AS ScopeAttributes,
    scope_dropped_attributes_count AS ScopeDroppedAttrCount, scope_schema_url AS ScopeSchemaUrl,
    service_name AS ServiceName, name AS MetricName, description AS MetricDescription, unit AS MetricUnit,
    ${ATTRIBUTES} AS Attributes, start_timestamp AS StartTimeUnix, timestamp AS TimeUnix, flags AS Flags`;
const OTEL_EXEMPLARS = `${textMaps('exemplars.attributes')} AS \`Exemplars.FilteredAttributes\`,
    exemplars.timestamp AS \`Exemplars.TimeUnix\`, exemplars.value AS \`Exemplars.Value\`,
    ${hexIds('exemplars.span_id')} AS \`Exemplars.SpanId\`, ${hexIds('exemplars.trace_id')} AS \`Exemplars.TraceId\``;
const OTEL_TEMPORALITY = 'toInt32(temporality) AS AggregationTemporality';
const OTEL_TOTALS = 'count AS Count, ifNull(sum, 0) AS Sum';
const OTEL_EXTREMES = 'ifNull(min, 0) AS Min, ifNull(max, 0) AS Max';

function otelMetrics(table: string, values: readonly string[]): View {
  return {
    comment: 'Data points in the layout of the OpenTelemetry Collector ClickHouse exporter',
    select: (facts, tenant) => `SELECT ${[OTEL_POINT, ...values].join(', ')} FROM ${facts}.${table} WHERE ${tenant}`,
  };
}

/** Every view, by name. */
export const VIEWS: Readonly<Record<string, View>> = {
  spans: SPANS_VIEW,
  logs: {
    comment: 'Log records, ids in hex',
    select: factView('logs', `${hexIdOrEmpty('trace_id', 16)} AS trace_id, ${hexIdOrEmpty('span_id', 8)} AS span_id`),
  },
  metrics_gauge: { comment: 'Gauge data points', select: factView('metrics_gauge', EXEMPLAR_IDS) },
  metrics_sum: { comment: 'Sum data points', select: factView('metrics_sum', EXEMPLAR_IDS) },
  metrics_histogram: { comment: 'Histogram data points', select: factView('metrics_histogram', EXEMPLAR_IDS) },
  metrics_exponential_histogram: {
    comment: 'Exponential histogram data points',
    select: factView('metrics_exponential_histogram', EXEMPLAR_IDS),
  },
  metrics_summary: { comment: 'Summary data points', select: factView('metrics_summary', '') },
  generations: GENERATIONS_VIEW,
  traces: TRACES,
  metrics_hourly: METRICS_HOURLY,
  otel_traces: OTEL_TRACES,
  otel_traces_trace_id_ts: OTEL_TRACE_TIMES,
  otel_logs: OTEL_LOGS,
  otel_metrics_gauge: otelMetrics('metrics_gauge', ['value AS Value', OTEL_EXEMPLARS]),
  otel_metrics_sum: otelMetrics('metrics_sum', [
    'value AS Value',
    OTEL_TEMPORALITY,
    'is_monotonic AS IsMonotonic',
    OTEL_EXEMPLARS,
  ]),
  otel_metrics_histogram: otelMetrics('metrics_histogram', [
    OTEL_TOTALS,
    'bucket_counts AS BucketCounts',
    'explicit_bounds AS ExplicitBounds',
    OTEL_EXTREMES,
    OTEL_TEMPORALITY,
    OTEL_EXEMPLARS,
  ]),
  otel_metrics_exponential_histogram: otelMetrics('metrics_exponential_histogram', [
    OTEL_TOTALS,
    'scale AS Scale',
    'zero_count AS ZeroCount',
    'positive_offset AS PositiveOffset',
    'positive_bucket_counts AS PositiveBucketCounts',
    'negative_offset AS NegativeOffset',
    'negative_bucket_counts AS NegativeBucketCounts',
    OTEL_EXTREMES,
    OTEL_TEMPORALITY,
    OTEL_EXEMPLARS,
  ]),
  otel_metrics_summary: otelMetrics('metrics_summary', [
    OTEL_TOTALS,
    'quantiles AS `ValueAtQuantiles.Quantile`',
    'quantile_values AS `ValueAtQuantiles.Value`',
  ]),
};
