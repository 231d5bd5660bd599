/**
 * Shapes of the data platform's answers, as far as commands read them. They are Tinybird's (docs/reference/http-api.md), so
 * another server may leave fields out: what is optional here is treated as absent there.
 */

export interface DataSourceInfo {
  readonly id: string;
  readonly name: string;
  readonly description?: string | null;
  readonly engine?: Readonly<Record<string, unknown>> | null;
  readonly schema?: { readonly columns?: readonly ColumnInfo[] } | null;
  readonly columns?: readonly ColumnInfo[] | null;
  readonly statistics?: { readonly row_count?: number | null; readonly bytes?: number | null } | null;
  readonly quarantine_rows?: number | null;
  readonly used_by?: readonly { readonly name: string }[] | null;
  readonly tags?: unknown;
  readonly created_at?: string | null;
  readonly updated_at?: string | null;
}

export interface ColumnInfo {
  readonly name: string;
  /** Without the `Nullable` around it, of which `nullable` tells. */
  readonly type: string;
  readonly nullable?: boolean | null;
  readonly jsonpath?: string | null;
  readonly default_value?: string | null;
  readonly codec?: string | null;
  /** Its comment. */
  readonly description?: string | null;
}

export interface PipeInfo {
  readonly id: string;
  readonly name: string;
  readonly type?: string | null;
  readonly description?: string | null;
  readonly endpoint?: string | null;
  readonly nodes?: readonly NodeInfo[] | null;
  readonly updated_at?: string | null;
}

export interface NodeInfo {
  readonly id?: string;
  readonly name: string;
  readonly sql?: string | null;
  readonly node_type?: string | null;
  readonly type?: string | null;
  readonly description?: string | null;
  readonly params?: readonly ParameterInfo[] | null;
}

export interface ParameterInfo {
  readonly name: string;
  readonly type?: string | null;
  readonly required?: boolean | null;
  readonly default?: unknown;
  readonly description?: string | null;
}

export interface TokenInfo {
  readonly id: string;
  readonly name: string;
  readonly description?: string | null;
  readonly origin?: unknown;
  readonly scopes?: readonly ScopeInfo[] | null;
  readonly token?: string | null;
}

export interface ScopeInfo {
  readonly type: string;
  readonly resource?: string | null;
  readonly filter?: string | null;
}

export interface JobInfo {
  readonly id: string;
  readonly kind?: string | null;
  readonly status: string;
  readonly progress_percentage?: number | null;
  readonly error?: string | null;
  readonly errors?: readonly unknown[] | null;
  readonly blocks?: readonly BlockInfo[] | null;
  readonly successful_rows?: number | null;
  readonly quarantined_rows?: number | null;
  readonly rows_affected?: number | null;
}

/** What became of a piece of an import. */
export interface BlockInfo {
  readonly process_return?:
    | readonly { readonly lines?: number | null; readonly quarantine?: number | null; readonly bytes?: number | null }[]
    | null;
}

export interface FeedbackInfo {
  readonly level?: string | null;
  readonly resource?: string | null;
  readonly message?: string | null;
}

export interface DeploymentErrorInfo {
  readonly filename?: string | null;
  readonly error?: string | null;
}

export interface DeploymentInfo {
  readonly id: string;
  readonly status: string;
  readonly live?: boolean | null;
  readonly created_at?: string | null;
  readonly errors?: readonly DeploymentErrorInfo[] | null;
  readonly feedback?: readonly FeedbackInfo[] | null;
  readonly new_datasource_names?: readonly string[] | null;
  readonly changed_datasource_names?: readonly string[] | null;
  readonly deleted_datasource_names?: readonly string[] | null;
  readonly new_pipe_names?: readonly string[] | null;
  readonly changed_pipe_names?: readonly string[] | null;
  readonly deleted_pipe_names?: readonly string[] | null;
}

/** The answer to a project, checked or deployed. */
export interface DeployAnswer {
  readonly result: string;
  readonly deployment?: DeploymentInfo | null;
  readonly error?: string | null;
  readonly errors?: readonly DeploymentErrorInfo[] | null;
}
