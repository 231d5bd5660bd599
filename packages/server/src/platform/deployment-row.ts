/** A deployment as it is kept: what it was to bring, what it did, and how far it is. */

import type { Resource } from '@glasshouse/model';
import { dateTime } from './rows.ts';

/** In the order in which a deployment goes through them; `failed` and `deleted` are ends. */
export type DeploymentStatus =
  | 'calculating'
  | 'creating_schema'
  | 'schema_ready'
  | 'data_ready'
  | 'promoting'
  | 'live'
  | 'deleting'
  | 'deleted'
  | 'failed';

export interface Feedback {
  readonly level: 'info' | 'warning' | 'error';
  readonly resource: string;
  readonly message: string;
}

export interface DeploymentError {
  readonly kind: Resource['kind'] | undefined;
  readonly resource: string;
  readonly error: string;
}

/** What changes by a deployment, by kind and name. */
export interface DeploymentNames {
  readonly newDataSources: readonly string[];
  readonly changedDataSources: readonly string[];
  readonly deletedDataSources: readonly string[];
  readonly newPipes: readonly string[];
  readonly changedPipes: readonly string[];
  readonly deletedPipes: readonly string[];
}

export interface DeploymentReport extends DeploymentNames {
  readonly feedback: readonly Feedback[];
  readonly errors: readonly DeploymentError[];
  /** Ids of data sources that the deployment after this one dropped, and whose tables are kept for as long as this one is. */
  readonly kept: readonly string[];
}

export interface Deployment extends DeploymentReport {
  readonly tenant: string;
  /** `0` for the placeholder of a workspace that nothing was deployed to. */
  readonly id: string;
  readonly status: DeploymentStatus;
  readonly live: boolean;
  /** The project: what the workspace has while this deployment is live, beside what comes with the server. */
  readonly resources: readonly Resource[];
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly version: number;
}

export interface DeploymentRow {
  readonly tenant: string;
  readonly id: string;
  readonly status: string;
  readonly live: boolean;
  readonly resources: string;
  readonly report: string;
  readonly created_at: string;
  readonly updated_at: string;
  readonly version: string;
}

const NO_REPORT: DeploymentReport = {
  newDataSources: [],
  changedDataSources: [],
  deletedDataSources: [],
  newPipes: [],
  changedPipes: [],
  deletedPipes: [],
  feedback: [],
  errors: [],
  kept: [],
};

/** True while somebody works on the deployment. */
export function isUnderWay({ status }: Pick<Deployment, 'status'>): boolean {
  return ['calculating', 'creating_schema', 'schema_ready', 'promoting', 'deleting'].includes(status);
}

/** What every workspace begins with: clients expect one live deployment to begin with. */
export function placeholder(tenant: string): Deployment {
  const at = new Date(0);
  const state = { status: 'live' as const, live: true, resources: [], createdAt: at, updatedAt: at, version: 0 };
  return { tenant, id: '0', ...state, ...NO_REPORT };
}

export function fromRow(row: DeploymentRow): Deployment {
  const { tenant, id, live } = row;
  return {
    ...NO_REPORT,
    ...(JSON.parse(row.report) as DeploymentReport),
    tenant,
    id,
    status: row.status as DeploymentStatus,
    live,
    resources: JSON.parse(row.resources) as Resource[],
    createdAt: new Date(Number(row.created_at)),
    updatedAt: new Date(Number(row.updated_at)),
    version: Number(row.version),
  };
}

export function toRow(deployment: Deployment): DeploymentRow {
  const { tenant, id, status, live, resources, createdAt, updatedAt, version, ...report } = deployment;
  return {
    tenant,
    id,
    status,
    live,
    resources: JSON.stringify(resources),
    report: JSON.stringify(report),
    created_at: dateTime(createdAt),
    updated_at: dateTime(updatedAt),
    version: String(version),
  };
}
