/** What one writes first for JSON events: parse each line, build the row, and insert rows as JSON. */

/** The row of an event, column by column. */
export function toEventRow(line: string): Record<string, unknown> {
  const event = JSON.parse(line) as {
    readonly [key: string]: unknown;
    readonly session: { readonly id: string };
    readonly user: { readonly id: string; readonly country: string };
    readonly context: { readonly page: string; readonly referrer?: string; readonly device: string };
  };
  return {
    timestamp: String(event['timestamp']).replace('T', ' ').replace('Z', ''),
    event_id: String(event['event_id']),
    session_id: event.session.id,
    user_id: event.user.id,
    event_type: String(event['type']),
    page: event.context.page,
    referrer: event.context.referrer ?? '',
    country: event.user.country,
    device: event.context.device,
    duration_ms: Number(event['duration_ms']),
    amount: Number(event['amount'] ?? 0),
    status: Number(event['status']),
    is_bot: event['is_bot'] === true,
    tags: event['tags'],
    properties: JSON.stringify(event['properties']),
  };
}

/** The same columns as the product's data source. */
export const NAIVE_EVENTS_DDL = `CREATE TABLE IF NOT EXISTS glasshouse.naive_events (
  timestamp DateTime64(3), event_id String, session_id String, user_id String, event_type LowCardinality(String),
  page String, referrer LowCardinality(String), country LowCardinality(String), device LowCardinality(String),
  duration_ms UInt32, amount Float64, status UInt16, is_bot Bool, tags Array(String), properties String
) ENGINE = MergeTree PARTITION BY toYYYYMM(timestamp) ORDER BY (event_type, timestamp)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1`;
