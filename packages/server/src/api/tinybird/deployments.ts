/**
 * Deployments: a project of data files comes as a multipart form, is checked, made beside what is live, and takes its place
 * (`POST /v1/build`, `POST /v1/deploy`, `/v1/deployments`).
 *
 * Must stay true: a project with a mistake changes nothing, and every mistake is said with its file. Clients ask at once after
 * the first answer and then every five seconds, so an answer waits a moment for a deployment that is nearly there.
 */

import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { setTimeout as pause } from 'node:timers/promises';
import { AppError } from '@glasshouse/model';
import { chunksOf } from '../../http/body.ts';
import type { Route } from '../../http/router.ts';
import { sendJson } from '../../http/router.ts';
import type { Deployed } from '../../platform/deploy.ts';
import type { Deployment } from '../../platform/deployment-row.ts';
import { isUnderWay } from '../../platform/deployment-row.ts';
import { decoded } from '../../platform/import-decode.ts';
import type { Platform } from '../../platform/platform.ts';
import { demand } from '../../platform/principal.ts';
import type { Project, ProjectFile } from '../../platform/project.ts';
import { readProject } from '../../platform/project.ts';
import type { Call } from './call.ts';
import { guarded } from './call.ts';
import { fileErrors, namesOf, shownDeployment, shownError, shownResources } from './deployment-shape.ts';
import { readFields } from './fields.ts';
import { isMultipart, readMultipart } from './multipart.ts';

const MAX_FILES = 5_000;
const MAX_FILE_BYTES = 2 << 20;
const MAX_PROJECT_BYTES = 64 << 20;
/** Fields that bring files of the project. Others say something about the client. */
const PROJECT_FIELDS: ReadonlySet<string> = new Set(['data_project://', 'data_project_vendored://']);
/** How long an answer waits for a deployment to be ready. */
const PATIENCE_MS = 4_000;
/** A build is for somebody at a terminal, who waits for all of it. */
const BUILD_MS = 300_000;

export function deploymentRoutes(platform: Platform): Route[] {
  const { deployments } = platform;
  const on = (method: Route['method'], path: string, handle: (call: Call) => Promise<void> | void): Route =>
    guarded(platform, method, path, (call) => {
      demand(call.principal, 'ADMIN');
      return handle(call);
    });
  const id = ({ params }: Call): string => params['id'] ?? '';
  return [
    on('POST', '/v1/build', (call) => build(platform, call)),
    on('POST', '/v1/deploy', (call) => deploy(platform, call)),
    on('GET', '/v1/deployments', ({ principal, response, query }) => {
      const includeDeleted = query.get('include_deleted') === 'true';
      const list = deployments.list(principal.tenant, { includeDeleted });
      sendJson(response, 200, { result: 'success', deployments: list.map(shownDeployment) });
    }),
    on('GET', '/v1/deployments/:id', async (call) => {
      const deployment = await nearlyDone(platform, deployments.get(call.principal.tenant, id(call)));
      sendJson(call.response, 200, { result: 'success', deployment: shownDeployment(deployment) });
    }),
    on('POST', '/v1/deployments/:id/set-live', async (call) => {
      await readFields(call);
      const deployment = await deployments.setLive(call.principal.tenant, id(call));
      sendJson(call.response, 200, { result: 'success', deployment: shownDeployment(deployment) });
    }),
    on('DELETE', '/v1/deployments/:id', async (call) => {
      const deployment = await deployments.remove(call.principal.tenant, id(call));
      sendJson(call.response, 200, { result: 'success', deployment: shownDeployment(deployment) });
    }),
  ];
}

async function deploy(platform: Platform, call: Call): Promise<void> {
  const { principal, response, query } = call;
  const project = readProject(await receiveProject(call));
  if (project.errors.length > 0) {
    answerRefused(response, project);
    return;
  }
  const check = query.get('check') === 'true';
  const deployed = await platform.deployments.deploy(principal.tenant, project.resources, {
    check,
    allowDestructive: query.get('allow_destructive_operations') === 'true',
    autoPromote: query.get('auto_promote') === 'true',
  });
  if (deployed.result === 'failed') {
    answerFailed(response, project, deployed);
    return;
  }
  // One that is only checked is nowhere but here.
  const isBegun = deployed.result === 'success' && !check;
  const deployment = isBegun ? await nearlyDone(platform, deployed.deployment) : deployed.deployment;
  if (deployment.status === 'failed') {
    answerFailed(response, project, { result: 'failed', deployment });
    return;
  }
  const notices = project.warnings.map(({ file, message }) => ({ level: 'WARNING', resource: file, message }));
  const shown = shownDeployment(deployment);
  sendJson(response, 200, {
    result: deployed.result,
    deployment: { ...shown, feedback: [...notices, ...(shown['feedback'] as object[])] },
  });
}

/** Builds are live at once, whatever they lose: they are for a workspace that is only for trying things. */
async function build(platform: Platform, call: Call): Promise<void> {
  const { principal, response } = call;
  const { tenant } = principal;
  const project = readProject(await receiveProject(call));
  const refuse = (errors: readonly object[]): void => sendJson(response, 400, { result: 'failed', errors });
  if (project.errors.length > 0) {
    refuse(project.errors.map(shownError));
    return;
  }
  const deployed = await platform.deployments.deploy(tenant, project.resources, {
    allowDestructive: true,
    autoPromote: true,
  });
  const deployment =
    deployed.result === 'success' ? await settled(platform, deployed.deployment, BUILD_MS) : deployed.deployment;
  if (deployment.status === 'failed' || deployment.errors.length > 0) {
    refuse(fileErrors(project, deployment).map(shownError));
    return;
  }
  const { catalog } = platform;
  const isBuilt = ({ builtIn }: { readonly builtIn: boolean }): boolean => !builtIn;
  sendJson(response, 200, {
    result: 'success',
    build: {
      id: deployment.id,
      datasources: shownResources(catalog.dataSources(tenant).filter(isBuilt)),
      pipes: shownResources(catalog.pipes(tenant).filter(isBuilt)),
      ...namesOf(deployment),
      data_linkers: [],
      feedback: project.warnings.map(({ file, message }) => ({ level: 'WARNING', resource: file, message })),
    },
    errors: [],
  });
}

/** A project whose files cannot be read. */
function answerRefused(response: Call['response'], { errors }: Project): void {
  const list = errors.map(shownError);
  const nothing = { id: '', status: 'failed', live: false, feedback: [], errors: list };
  sendJson(response, 400, { result: 'failed', deployment: nothing, errors: list });
}

/** A project that cannot be deployed. What it would lose is feedback: then the client names the way to insist. */
function answerFailed(response: Call['response'], project: Project, { deployment }: Deployed): void {
  const list = fileErrors(project, deployment).map(shownError);
  const shown = { ...shownDeployment(deployment), status: 'failed', errors: list };
  sendJson(response, 400, { result: 'failed', deployment: shown, errors: list });
}

/** The files of a project. Rejects with `bad_request` or `too_large`. */
async function receiveProject({ request }: Call): Promise<ProjectFile[]> {
  if (!isMultipart(request)) {
    request.resume();
    throw new AppError(
      'bad_request',
      'cannot read the project: send it as multipart/form-data with a part data_project:// for each file',
    );
  }
  const files: ProjectFile[] = [];
  let bytes = 0;
  const coding = (request.headers['content-encoding'] ?? '').trim().toLowerCase();
  const body = decoded(Readable.from(chunksOf(request), { objectMode: false }), coding, MAX_PROJECT_BYTES);
  await readMultipart(
    request,
    body,
    { fileBytes: MAX_FILE_BYTES, files: MAX_FILES },
    async ({ field, filename, stream }) => {
      const content = await buffer(stream);
      bytes += content.length;
      if (bytes > MAX_PROJECT_BYTES)
        throw new AppError('too_large', `cannot read the project: it is larger than ${MAX_PROJECT_BYTES} bytes`);
      if (PROJECT_FIELDS.has(field)) files.push({ name: filename.slice(0, 400), text: textOf(content, filename) });
    },
  );
  return files;
}

function textOf(content: Buffer, file: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(content);
  } catch (cause) {
    throw new AppError('bad_request', `cannot read file=${JSON.stringify(file.slice(0, 200))}: it is not UTF-8`, {
      cause,
    });
  }
}

/** The deployment, a moment later if somebody still works on it. */
function nearlyDone(platform: Platform, deployment: Deployment): Promise<Deployment> {
  return settled(platform, deployment, PATIENCE_MS);
}

async function settled({ deployments }: Platform, deployment: Deployment, patienceMs: number): Promise<Deployment> {
  if (!isUnderWay(deployment)) return deployment;
  const { tenant, id } = deployment;
  const late = new AbortController();
  await Promise.race([
    deployments.settled(tenant, id),
    pause(patienceMs, undefined, { signal: late.signal }).catch(() => undefined),
  ]);
  late.abort();
  return deployments.get(tenant, id);
}
