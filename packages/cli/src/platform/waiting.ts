/**
 * Waiting for deployments and other work that the server does in its own time.
 *
 * Must stay true: asking costs the server little (longer pauses the longer it takes), and an interruption ends the waiting at once.
 */

import { setTimeout as pause } from 'node:timers/promises';
import { AppError } from '@glasshouse/model';
import { durationText } from '../output.ts';
import type { DeploymentInfo, JobInfo } from './wire.ts';
import type { Workspace } from './workspace.ts';

export interface Watch {
  readonly signal: AbortSignal;
  /** Time in ms. */
  readonly now: () => number;
  /** Told how far it is. */
  readonly update: (text: string) => void;
}

const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 2_000;
const PROMOTION_MS = 30_000;

/** What a person calls the states of a deployment. */
const STATES: Readonly<Record<string, string>> = {
  calculating: 'making the plan',
  creating_schema: 'making and filling tables',
  schema_ready: 'filling tables',
  promoting: 'going live',
};
const ENDS = new Set(['data_ready', 'failed', 'deleting', 'deleted', 'live', 'error']);

/** Resolves with the deployment when it is ready to be made live, or will never be. Rejects with `cancelled`. */
export function awaitReady(workspace: Workspace, id: string, watch: Watch): Promise<DeploymentInfo> {
  return poll(watch, async () => {
    const deployment = await workspace.deployment(id);
    return {
      value: deployment,
      isOver: ENDS.has(deployment.status),
      text: STATES[deployment.status] ?? deployment.status,
    };
  });
}

/** Resolves when a deployment that was told to is live. Rejects with `cancelled`, or with why it will not be. */
export async function awaitLive(workspace: Workspace, id: string, watch: Watch): Promise<void> {
  const lateMs = watch.now() + PROMOTION_MS;
  const deployment = await poll(watch, async () => {
    const value = await workspace.deployment(id);
    // Ready is what it was before; it may take a moment until it is more.
    const isStuck = value.status === 'data_ready' && watch.now() > lateMs;
    const isOver = value.live === true || isStuck || !['data_ready', 'promoting'].includes(value.status);
    return { value, isOver, text: 'going live' };
  });
  if (deployment.live === true) return;
  const why = deployment.errors?.map(({ error }) => error).join('; ') || `its status is ${deployment.status}`;
  throw new AppError('conflict', `deployment ${id} did not become live: ${why}`);
}

/** Resolves with a job that is done. Rejects with `cancelled`, or with why it failed. */
export async function awaitJob(workspace: Workspace, id: string, watch: Watch): Promise<JobInfo> {
  const job = await poll(watch, async () => {
    const value = await workspace.job(id);
    const share = value.progress_percentage ? ` ${Math.floor(value.progress_percentage)}%` : '';
    return { value, isOver: !['waiting', 'working'].includes(value.status), text: `${value.status}${share}` };
  });
  if (job.status === 'done') return job;
  const why = [job.error, ...(job.errors ?? [])].filter((one) => typeof one === 'string' && one !== '').join('; ');
  throw new AppError('bad_request', `job ${id} ended with status ${job.status}${why === '' ? '' : `: ${why}`}`);
}

interface State<T> {
  readonly value: T;
  readonly isOver: boolean;
  readonly text: string;
}

async function poll<T>({ signal, now, update }: Watch, ask: () => Promise<State<T>>): Promise<T> {
  const startedMs = now();
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(LONGEST_PAUSE_MS, pauseMs * 1.5)) {
    if (signal.aborted) throw new AppError('cancelled', 'it was interrupted');
    const { value, isOver, text } = await ask();
    if (isOver) return value;
    update(`${text}, ${durationText(Math.max(1, now() - startedMs))}`);
    await pause(pauseMs, undefined, { signal }).catch(() => undefined);
  }
}
