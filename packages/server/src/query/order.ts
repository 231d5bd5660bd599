/**
 * Where conditions hide rows, in which order the engine evaluates expressions. By default it merges the user's conditions with the
 * hiding one, reorders them, and tries them on what its indexes know; an expression that fails on a hidden row tells of it.
 *
 * Must stay true: the isolation test holds on a new version of the engine, which may have learnt another way to be early.
 */

/** A projection is read with the hiding condition and the user's expressions in one step. */
const WITHOUT_PROJECTIONS: Readonly<Record<string, string>> = {
  optimize_use_projections: '0',
  optimize_use_implicit_projections: '0',
  optimize_use_projection_filtering: '0',
};

/** The user's conditions stay behind the hiding one, and nothing of one query is remembered for the next. */
const SEPARATE: Readonly<Record<string, string>> = {
  ...WITHOUT_PROJECTIONS,
  query_plan_merge_filters: '0',
  optimize_prewhere_after_pushdown: '0',
  use_query_condition_cache: '0',
  use_constant_folding_in_index_analysis: '0',
  use_top_k_dynamic_filtering: '0',
  enable_join_runtime_filters: '0',
};

/** Partitions, sorting keys and skip indexes would be tried with the user's expressions, and a join's sides filtered before it. */
const UNINDEXED: Readonly<Record<string, string>> = {
  ...SEPARATE,
  query_plan_filter_push_down: '0',
  query_plan_merge_filter_into_join_condition: '0',
  use_join_disjunctions_push_down: '0',
  use_primary_key: '0',
  use_partition_pruning: '0',
  use_skip_indexes: '0',
  use_skip_indexes_on_data_read: '0',
  use_statistics_for_part_pruning: '0',
};

/**
 * The engine keeps a list of the newest rows while it reads, and skips what is older than all of them, only if the columns that a
 * view computes are not split off its filter. They are computed behind the list all the same. Not where they could fail, nor where a
 * condition is on a dictionary (a service, a route): that is asked first then, and most granules have none of it.
 */
export const NEWEST_FIRST: Readonly<Record<string, string>> = { query_plan_split_filter: '0' };

/**
 * `free`: the engine's order. `unprojected`: the same, from the table itself. `separate`: hiding conditions first. `unindexed`: and
 * no index is asked, which reads whole tables.
 */
export type Order = 'free' | 'separate' | 'unindexed' | 'unprojected';

export function orderSettings(order: Order): Readonly<Record<string, string>> {
  switch (order) {
    case 'free':
      return {};
    case 'unprojected':
      return WITHOUT_PROJECTIONS;
    case 'separate':
      return SEPARATE;
    case 'unindexed':
      return UNINDEXED;
  }
}
