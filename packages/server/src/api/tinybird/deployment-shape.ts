/** Deployments as clients read them. The lists are lists even if there is nothing in them: one client iterates over all. */

import type { DataSourceEntry, PipeEntry } from '../../platform/resource-row.ts';
import type { Deployment, DeploymentStatus } from '../../platform/deployment-row.ts';
import type { FileNotice, Project } from '../../platform/project.ts';
import { isoText } from './times.ts';

type Shown = Readonly<Record<string, unknown>>;

/** States that clients know. A live deployment is one whose data is ready. */
function shownStatus(status: DeploymentStatus): string {
  return status === 'live' || status === 'promoting' ? 'data_ready' : status;
}

export function shownDeployment(deployment: Deployment): Shown {
  const { id, status, live, resources } = deployment;
  const named = (kind: 'datasource' | 'pipe'): object[] =>
    resources.filter((resource) => resource.kind === kind).map(({ name }) => ({ id: name, name }));
  return {
    id,
    status: shownStatus(status),
    live,
    created_at: isoText(deployment.createdAt),
    updated_at: isoText(deployment.updatedAt),
    ...namesOf(deployment),
    datasources: named('datasource'),
    pipes: named('pipe'),
    feedback: deployment.feedback.map(({ level, resource, message }) => ({
      level: level.toUpperCase(),
      resource,
      message,
    })),
    errors: deployment.errors.map(({ resource, error }) => ({ filename: resource, error })),
    data_movements: [],
    token_changes: [],
    new_data_connector_ids: [],
  };
}

/** What changes, by the names of the lists. */
export function namesOf(deployment: Deployment): Shown {
  return {
    new_datasource_names: deployment.newDataSources,
    changed_datasource_names: deployment.changedDataSources,
    deleted_datasource_names: deployment.deletedDataSources,
    new_pipe_names: deployment.newPipes,
    changed_pipe_names: deployment.changedPipes,
    deleted_pipe_names: deployment.deletedPipes,
    new_data_connector_names: [],
    changed_data_connector_names: [],
    deleted_data_connector_names: [],
    disconnected_data_source_names: [],
  };
}

/** What is wrong with a deployment, by the files of its project. */
export function fileErrors(project: Project, { errors }: Deployment): FileNotice[] {
  return errors.map(({ kind, resource, error }) => ({ file: project.fileOf(kind, resource), message: error }));
}

/** The shape of an error about a file. */
export function shownError({ file, message }: FileNotice): object {
  return { filename: file, error: message };
}

/** Resources as a build lists them. */
export function shownResources(entries: readonly (DataSourceEntry | PipeEntry)[]): object[] {
  return entries.map(({ id, name }) => ({ id, name }));
}
