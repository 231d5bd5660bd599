/** The vocabulary of a deployment's plan: what changes in a resource, and what that costs. */

/**
 * `inPlace`: the definition changes, rows stay where they are. `rebuild`: rows are written anew, into a table or a target
 * beside the live one. `destructive`: rows or values are lost, or may be.
 */
export type Impact = 'inPlace' | 'rebuild' | 'destructive';

export type ChangeType =
  | 'kind_changed'
  | 'description_changed'
  | 'tokens_changed'
  | 'tags_changed'
  | 'shared_with_changed'
  | 'column_added'
  | 'column_removed'
  | 'column_type_changed'
  | 'column_default_changed'
  | 'column_path_changed'
  | 'column_codec_changed'
  | 'column_comment_changed'
  | 'columns_reordered'
  | 'engine_changed'
  | 'ttl_changed'
  | 'setting_changed'
  | 'index_added'
  | 'index_removed'
  | 'index_changed'
  | 'forward_query_changed'
  | 'backfill_changed'
  | 'cache_changed'
  | 'node_added'
  | 'node_removed'
  | 'node_type_changed'
  | 'node_sql_changed'
  | 'node_setting_changed'
  | 'node_description_changed'
  | 'nodes_reordered';

export interface Change {
  readonly type: ChangeType;
  readonly impact: Impact;
  /** What of the resource it is about: a column, an index, a node, a directive. */
  readonly subject?: string;
  /** As a data file writes it; undefined when there was nothing, or there is nothing any more. */
  readonly before?: string | undefined;
  readonly after?: string | undefined;
  /** A sentence for the plan. */
  readonly message: string;
}
