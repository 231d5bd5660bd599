/** Deployments that are there already: listing them, and going back to one. */

import { AppError, messageOf } from '@glasshouse/model';
import type { Arguments } from '../args.ts';
import type { Context } from '../command.ts';
import { confirm } from '../confirm.ts';
import { EXIT_CODES, UsageError } from '../errors.ts';
import type { Output } from '../output.ts';
import { durationText } from '../output.ts';
import { printable } from '../width.ts';
import { namesOf } from './plan.ts';
import { awaitLive } from './waiting.ts';
import type { DeploymentInfo } from './wire.ts';
import type { Workspace } from './workspace.ts';

export async function listDeployments(output: Output, workspace: Workspace, json: boolean): Promise<number> {
  const all = (await workspace.deployments()).filter(({ id }) => id !== '0');
  if (json) output.json({ deployments: all });
  else if (all.length === 0) output.line('Nothing was deployed yet; `glasshouse deploy DIR` does it.');
  else {
    output.table(
      ['Id', 'State', 'Created', 'Changes'].map((title) => ({ title })),
      all.map((one) => [one.id, stateOf(one), (one.created_at ?? '').slice(0, 16).replace('T', ' '), changesOf(one)]),
    );
  }
  return EXIT_CODES.ok;
}

function stateOf({ live, status }: DeploymentInfo): string {
  if (live === true) return 'live';
  return status === 'data_ready' ? 'ready' : status;
}

/** The names of a deployment's report: `+visits ~top_pages -old`. */
function changesOf(deployment: DeploymentInfo): string {
  const signs = { create: '+', change: '~', delete: '-' };
  return namesOf(deployment)
    .map(({ action, name }) => `${signs[action]}${printable(name)}`)
    .join(' ');
}

interface Rollback {
  readonly context: Context;
  readonly args: Arguments;
  readonly workspace: Workspace;
  /** Id of the deployment; undefined for the one before the live one. */
  readonly wanted: string | undefined;
}

/** Makes a former deployment live again, after asking. Resolves to the exit code. */
export async function rollBack({ context, args, workspace, wanted }: Rollback): Promise<number> {
  const { output, now } = context;
  const all = await workspace.deployments();
  const live = all.find((one) => one.live === true);
  const target = targetOf(all, live, wanted);
  if (target.live === true) {
    if (args.flag('json')) output.json({ result: 'no_changes', deployment: target.id });
    else output.line(`Deployment ${target.id} is live already.`);
    return EXIT_CODES.ok;
  }
  if (!args.flag('json')) showEffect(output, all, live, target);
  if (!(await confirm(context, args, `Make deployment ${target.id} live instead of ${live?.id ?? 'none'}?`)))
    return EXIT_CODES.declined;
  const startedMs = now();
  const progress = output.progress(now);
  try {
    progress.update(`Deployment ${target.id}: going live`);
    await workspace.setLive(target.id);
    await awaitLive(workspace, target.id, {
      signal: context.interruption(),
      now,
      update: (text) => progress.update(text),
    });
  } catch (error) {
    const code = error instanceof AppError ? error.code : 'internal';
    throw new AppError(code, `cannot go back to deployment=${target.id}: ${messageOf(error)}`, { cause: error });
  } finally {
    progress.end();
  }
  if (args.flag('json')) output.json({ result: 'live', deployment: target.id, former: live?.id });
  else {
    const done = output.paint('green', '✓');
    output.line(`${done} Deployment ${target.id} is live again (${durationText(now() - startedMs)}).`);
    if (live !== undefined)
      output.note(`The next deployment removes ${live.id}; \`glasshouse deploy --rollback ${live.id}\` returns to it.`);
  }
  return EXIT_CODES.ok;
}

function targetOf(
  all: readonly DeploymentInfo[],
  live: DeploymentInfo | undefined,
  wanted: string | undefined,
): DeploymentInfo {
  const ready = all.filter(
    ({ id, status, live: isLive }) => id !== '0' && (status === 'data_ready' || isLive === true),
  );
  if (wanted !== undefined) {
    const found = ready.find(({ id }) => id === wanted);
    if (found !== undefined) return found;
    throw new UsageError(
      `cannot go back to deployment=${wanted}: ${ready.length === 0 ? 'there is none' : 'there is none of that id to go back to'}`,
      '`glasshouse deploy --list` shows those that are there',
    );
  }
  const [before] = ready
    .filter(({ id, live: isLive }) => isLive !== true && Number(id) < Number(live?.id ?? 0))
    .toSorted((a, b) => Number(b.id) - Number(a.id));
  if (before !== undefined) return before;
  throw new AppError(
    'conflict',
    'cannot roll back: no deployment before the live one is kept; `glasshouse deploy --list` shows all',
  );
}

/** What going back means, from what the deployments in between did. */
function showEffect(
  output: Output,
  all: readonly DeploymentInfo[],
  live: DeploymentInfo | undefined,
  target: DeploymentInfo,
): void {
  const isBack = Number(target.id) < Number(live?.id ?? 0);
  const [low, high] = [Number(isBack ? target.id : live?.id), Number(isBack ? live?.id : target.id)];
  const between = all.filter(({ id }) => Number(id) > low && Number(id) <= high);
  const words = isBack
    ? { create: 'deleted', change: 'changed back', delete: 'brought back, with its rows' }
    : { create: 'brought back, with its rows', change: 'changed again', delete: 'deleted again' };
  output.line(output.paint('bold', isBack ? 'Going back means' : 'Going there means'));
  for (const { action, kind, name } of between.flatMap(namesOf))
    output.line(`  ${kind} ${printable(name)}: ${words[action]}`);
  output.line();
}
