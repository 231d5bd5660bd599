/**
 * The workspace of a server, over the HTTP routes that Tinybird's clients use too. One place for paths, parameters and the
 * bodies of requests; what is done with the answers is the commands' business.
 *
 * Must stay true: a name that a person typed is escaped before it becomes part of a path.
 */

import { AppError } from '@glasshouse/model';
import type { Client } from '../client.ts';
import type { DataSourceInfo, DeployAnswer, DeploymentInfo, JobInfo, PipeInfo, TokenInfo } from './wire.ts';

export type ResourceKind = 'datasource' | 'pipe';

/** A file of a project, as it is sent. */
export interface SentFile {
  /** Path within the project. */
  readonly sentAs: string;
  readonly text: string;
}

type Fields = Readonly<Record<string, string | readonly string[] | undefined>>;

export class Workspace {
  readonly client: Client;

  constructor(client: Client) {
    this.client = client;
  }

  async dataSources(): Promise<readonly DataSourceInfo[]> {
    const { datasources = [] } = await this.get<{ datasources?: readonly DataSourceInfo[] }>('/v0/datasources');
    return datasources;
  }

  dataSource(name: string): Promise<DataSourceInfo> {
    return this.get(`/v0/datasources/${encodeURIComponent(name)}`);
  }

  async pipes(): Promise<readonly PipeInfo[]> {
    const { pipes = [] } = await this.get<{ pipes?: readonly PipeInfo[] }>('/v0/pipes');
    return pipes;
  }

  pipe(name: string): Promise<PipeInfo> {
    return this.get(`/v0/pipes/${encodeURIComponent(name)}`);
  }

  /** The data file of a resource, as the server writes it. */
  dataFile(kind: ResourceKind, name: string): Promise<string> {
    const file = `${encodeURIComponent(name)}.${kind}`;
    return this.client.text(kind === 'pipe' ? `/v1/pipes/${file}` : `/v0/datasources/${file}`);
  }

  /** Checks a project, or begins to deploy it. A project with mistakes is an answer too, not an error. */
  async deploy(
    files: readonly SentFile[],
    { check = false, allowDestructive = false }: { readonly check?: boolean; readonly allowDestructive?: boolean },
  ): Promise<DeployAnswer> {
    const body = new FormData();
    // Without any part it would be no form.
    body.append('context://', new Blob(['glasshouse'], { type: 'text/plain' }), 'cli-version');
    for (const { sentAs, text } of files)
      body.append('data_project://', new Blob([text], { type: 'text/plain' }), sentAs);
    const path = withQuery('/v1/deploy', {
      from: 'glasshouse',
      check: check ? 'true' : undefined,
      allow_destructive_operations: allowDestructive ? 'true' : undefined,
    });
    const response = await this.client.request(path, { method: 'POST', body });
    const text = await response.text();
    const answer = parsedAnswer(text);
    if (answer !== undefined) return answer;
    return this.client.refuse(response.status, text);
  }

  /** The live deployment, then the others, newest first. */
  async deployments(): Promise<readonly DeploymentInfo[]> {
    const { deployments = [] } = await this.get<{ deployments?: readonly DeploymentInfo[] }>('/v1/deployments');
    return deployments;
  }

  async deployment(id: string): Promise<DeploymentInfo> {
    const { deployment } = await this.get<{ deployment?: DeploymentInfo }>(`/v1/deployments/${encodeURIComponent(id)}`);
    if (deployment !== undefined) return deployment;
    throw new AppError('not_found', `cannot find deployment=${id}: the workspace has none of that id`);
  }

  async setLive(id: string): Promise<void> {
    await this.client.answer(`/v1/deployments/${encodeURIComponent(id)}/set-live`, { method: 'POST' });
  }

  async removeDeployment(id: string): Promise<void> {
    await this.client.answer(`/v1/deployments/${encodeURIComponent(id)}`, { method: 'DELETE' });
  }

  async jobs(): Promise<readonly JobInfo[]> {
    const { jobs = [] } = await this.get<{ jobs?: readonly JobInfo[] }>('/v0/jobs');
    return jobs;
  }

  job(id: string): Promise<JobInfo> {
    return this.get(withQuery(`/v0/jobs/${encodeURIComponent(id)}`, { debug: 'blocks,block_log' }));
  }

  async tokens(): Promise<readonly TokenInfo[]> {
    const { tokens = [] } = await this.get<{ tokens?: readonly TokenInfo[] }>('/v0/tokens');
    return tokens;
  }

  token(name: string): Promise<TokenInfo> {
    return this.get(`/v0/tokens/${encodeURIComponent(name)}`);
  }

  async get<T>(path: string): Promise<T> {
    return this.must(path, await this.client.answer<T>(path));
  }

  /** Posts the fields as a form. */
  async post<T>(path: string, fields: Fields = {}): Promise<T> {
    return this.must(path, await this.tryPost<T>(path, fields));
  }

  /** As `post`, for routes that may answer nothing. */
  tryPost<T>(path: string, fields: Fields = {}): Promise<T | undefined> {
    return this.client.answer<T>(path, { method: 'POST', body: pairsOf(fields) });
  }

  async remove(path: string): Promise<void> {
    await this.client.answer(path, { method: 'DELETE' });
  }

  private must<T>(path: string, answer: T | undefined): T {
    if (answer !== undefined) return answer;
    throw new AppError('internal', `cannot read the answer to ${path.replace(/\?.*/u, '')}: it is empty`);
  }
}

/** A path with parameters behind it; those that are undefined are left out. */
export function withQuery(path: string, fields: Fields): string {
  const query = pairsOf(fields).toString();
  return query === '' ? path : `${path}?${query}`;
}

function pairsOf(fields: Fields): URLSearchParams {
  const pairs = Object.entries(fields).flatMap(([name, value]) =>
    value === undefined ? [] : [value].flat().map((one): [string, string] => [name, one]),
  );
  return new URLSearchParams(pairs);
}

/** An answer that says how the deployment is; undefined for an error of another kind, such as a missing scope. */
function parsedAnswer(text: string): DeployAnswer | undefined {
  try {
    const answer = JSON.parse(text) as Partial<DeployAnswer> | null;
    return typeof answer?.result === 'string' ? (answer as DeployAnswer) : undefined;
  } catch {
    return undefined;
  }
}
