/**
 * Bringing a project live: check, show, ask, deploy, wait. `deploy` and `push` differ only in what the project is.
 *
 * Must stay true: nothing is lost that was not shown and agreed to. Whatever ends this early leaves the workspace as it was, and
 * no deployment behind that would be in the way of the next one. The former deployment stays, so that one can go back to it.
 */

import { AppError, messageOf } from '@glasshouse/model';
import type { Arguments, Options } from '../args.ts';
import type { Context } from '../command.ts';
import { confirm } from '../confirm.ts';
import { EXIT_CODES, UsageError } from '../errors.ts';
import { durationText } from '../output.ts';
import { awaitLive, awaitReady } from './waiting.ts';
import type { Plan, Problem } from './plan.ts';
import { planProject, problemsOf } from './plan.ts';
import type { Project } from './project.ts';
import { showPlan, showProblems, showWarnings } from './show-plan.ts';
import type { DeploymentInfo } from './wire.ts';
import type { Workspace } from './workspace.ts';

export const RELEASE_OPTIONS: Options = {
  check: { type: 'boolean', description: 'Only check and show the plan; nothing is changed' },
  'allow-destructive': { type: 'boolean', description: 'Agree to the loss of rows or values that the plan shows' },
  yes: { type: 'boolean', short: 'y', description: 'Do not ask; what loses data also needs --allow-destructive' },
};

/** Exit codes of commands that deploy. */
export const RELEASE_EXITS =
  '0 live, valid or no changes, 1 failed and nothing was changed, 2 wrong usage, 3 you said no, or the server is not reachable';

/** Former deployments that stay to go back to. */
const KEPT = 5;

interface Release {
  readonly context: Context;
  readonly args: Arguments;
  readonly workspace: Workspace;
  readonly project: Project;
}

/** Deploys the project and resolves to the exit code. */
export async function release(parts: Release): Promise<number> {
  const { context, args, workspace, project } = parts;
  const { output } = context;
  if (!args.flag('json')) showWarnings(output, project.warnings);
  if (project.problems.length > 0) return refuse(parts, project.problems);
  const plan = await planProject(workspace, project);
  if (plan.result === 'failed') return refuse(parts, plan.problems);
  if (plan.result === 'no_changes')
    return tell(parts, { result: 'no_changes' }, 'No changes: the server has all of it.');
  const left = await waitingDeployments(workspace);
  if (!args.flag('json')) {
    showPlan(output, plan);
    for (const { id } of left)
      output.line(`Deployment ${id}, which is newer than the live one and not live, is removed.`);
  }
  // What only those have would go with them.
  const isLoss = plan.isDestructive || left.some(({ new_datasource_names }) => (new_datasource_names ?? []).length > 0);
  if (args.flag('check')) return checked(parts, plan, !isLoss);
  if (isLoss && !(await agreed(parts))) return EXIT_CODES.declined;
  return carryOut(parts, plan, left);
}

/**
 * Deployments that are ready and newer than the live one: after going back, or because somebody has yet to decide about them.
 * They keep others from beginning.
 */
async function waitingDeployments(workspace: Workspace): Promise<readonly DeploymentInfo[]> {
  const all = await workspace.deployments();
  const live = all.find((one) => one.live === true);
  return all.filter(
    ({ id, live: isLive, status }) => isLive !== true && status === 'data_ready' && Number(id) > Number(live?.id ?? 0),
  );
}

function checked(parts: Release, plan: Plan, isSafe: boolean): number {
  const { args } = parts;
  const result = isSafe ? 'valid' : 'destructive';
  const text = isSafe ? 'Valid. Nothing was changed.' : 'Valid, but data would be lost. Nothing was changed.';
  tell(parts, { result, plan: plan.items }, text);
  return isSafe || args.flag('allow-destructive') ? EXIT_CODES.ok : EXIT_CODES.failed;
}

/** Whether whoever calls agrees to a loss. @throws UsageError where nobody can be asked */
async function agreed({ context, args }: Release): Promise<boolean> {
  if (args.flag('allow-destructive')) return true;
  if (args.flag('yes') || args.flag('json') || context.input.isTTY !== true) {
    throw new UsageError(
      'cannot deploy: data would be lost, see the plan',
      'give --allow-destructive to agree to it, or change the data files',
    );
  }
  return confirm(context, args, 'Deploy, and lose what is marked?');
}

async function carryOut(parts: Release, plan: Plan, left: readonly DeploymentInfo[]): Promise<number> {
  const { context, workspace, project } = parts;
  const { output, now } = context;
  const startedMs = now();
  const former = (await workspace.deployments()).find((one) => one.live === true);
  for (const { id } of left) await workspace.removeDeployment(id);
  const begun = await workspace.deploy(project.resources, { allowDestructive: plan.isDestructive });
  const id = begun.deployment?.id;
  if (begun.result === 'no_changes')
    return tell(parts, { result: 'no_changes' }, 'No changes: the server has all of it.');
  if (begun.result !== 'success' || id === undefined) return refuse(parts, problemsOf(begun, project.resources));
  const signal = context.interruption();
  const progress = output.progress(now);
  try {
    const watch = { signal, now, update: (text: string) => progress.update(`Deployment ${id}: ${text}`) };
    const ready = await awaitReady(workspace, id, watch);
    if (ready.status !== 'data_ready') {
      progress.end();
      return refuse(parts, problemsOf({ deployment: ready }, project.resources), id);
    }
    if (ready.live !== true) {
      await workspace.setLive(id);
      await awaitLive(workspace, id, watch);
    }
  } catch (error) {
    await workspace.removeDeployment(id).catch(() => undefined);
    const why = signal.aborted ? 'it was interrupted; the workspace is as it was' : messageOf(error);
    throw new AppError(error instanceof AppError ? error.code : 'internal', `cannot deploy: ${why}`, { cause: error });
  } finally {
    progress.end();
  }
  await prune(workspace);
  const back = former === undefined || former.id === '0' ? '' : ' `glasshouse deploy --rollback` goes back.';
  const took = durationText(now() - startedMs);
  const done = output.paint('green', '✓');
  return tell(
    parts,
    { result: 'live', deployment: id, plan: plan.items },
    `${done} Deployment ${id} is live (${took}).${back}`,
  );
}

/** Removes former deployments beyond those that are kept, and failed ones. That they are there is no reason to fail. */
async function prune(workspace: Workspace): Promise<void> {
  const all = await workspace.deployments().catch(() => []);
  const former = all.filter(({ live, status, id }) => live !== true && status === 'data_ready' && id !== '0');
  const old = former.toSorted((a, b) => Number(b.id) - Number(a.id)).slice(KEPT);
  const failed = all.filter(({ status }) => status === 'failed');
  for (const { id } of [...old, ...failed]) await workspace.removeDeployment(id).catch(() => undefined);
}

function refuse(
  { context, args, project }: Release,
  problems: Project['problems'] | readonly Problem[],
  id?: string,
): number {
  const count = problems.length === 1 ? '1 problem' : `${problems.length} problems`;
  const where = id === undefined ? '' : ` Deployment ${id} failed.`;
  if (args.flag('json')) {
    const { warnings } = project;
    context.output.json({ result: 'failed', error: `cannot deploy: ${count}`, problems, warnings, deployment: id });
  } else {
    showProblems(context.output, problems);
    context.output.note(`\nglasshouse: cannot deploy: ${count}.${where} Nothing was changed.`, 'red');
  }
  return EXIT_CODES.failed;
}

function tell({ context, args, project }: Release, outcome: object, text: string): number {
  if (args.flag('json')) context.output.json({ ...outcome, warnings: project.warnings });
  else context.output.line(text);
  return EXIT_CODES.ok;
}
