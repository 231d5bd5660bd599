/**
 * The two kinds of events in `llm_events`, each under the name that the plan for one tracker gives its view. A pipe is exact from the
 * first row on, whatever brings it, needs no table, and reads the columns that the data source has at the time.
 *
 * Must stay true: they read the workspace's own `llm_events`, whoever described it, and nothing else.
 */

/** The data source that both read. */
export const EVENTS_SOURCE = 'llm_events';

const of = (what: string, eventType: string): string => `DESCRIPTION >
    ${what}: the rows of llm_events whose event_type is ${eventType}.

NODE endpoint
SQL >
    SELECT * FROM llm_events WHERE event_type = '${eventType}'

TYPE endpoint
`;

export const EVENT_PIPES: Readonly<Record<string, string>> = {
  text_events_mv: of('Generations of texts', 'text_generation'),
  image_events_mv: of('Generations of images', 'image_generation'),
};
