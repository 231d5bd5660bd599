/**
 * Endpoints over the calls of models, as data files by the names of their pipes.
 *
 * Must stay true: each reads `telemetry.generations`, which shows the calls of the workspace, every call once.
 */

export const GENERATION_PIPES: Readonly<Record<string, string>> = {
  generations_top_models: `DESCRIPTION >
    Models by what was spent on them, text and images together.

NODE endpoint
SQL >
    %
    SELECT
      provider,
      if(model_used = '', model_requested, model_used) AS model,
      modality,
      count() AS calls,
      countIf(status = 'error') AS errors,
      toFloat64(sum(cost)) AS cost
    FROM telemetry.generations
    WHERE time >= {{ DateTime(start, '2020-01-01 00:00:00', description='From when, UTC') }}
    GROUP BY ALL
    ORDER BY cost DESC NULLS LAST, calls DESC, provider, model
    LIMIT {{ UInt32(limit, 20, description='Rows at most') }}

TYPE endpoint
`,
};
