/**
 * The plan of a deployment: from the resources that a workspace has to those that a project describes, as steps in an order
 * in which each finds what it needs. Separate from doing it, so that a plan can be shown, and so that a rollback is one too.
 *
 * Must stay true: a project that describes what is there already gives a plan without steps.
 */

import type { Pipe, Resource } from '@glasshouse/model';
import { AppError, messageOf } from '@glasshouse/model';
import type { DataSources } from '@glasshouse/store';
import { isUsed } from './built-in.ts';
import type { RowCounts } from './built-in.ts';
import type { Catalog } from './catalog.ts';
import { checkDataSource, checkPipe } from './definitions.ts';
import type { DeploymentReport } from './deployment-row.ts';
import type { Judges } from './judges.ts';
import { checkClash } from './names.ts';
import type { DataSourceEntry, PipeEntry } from './resource-row.ts';
import type { Stamp, Step } from './steps.ts';
import {
  createStep,
  dropPipeStep,
  dropStep,
  putPipeStep,
  restorePipeStep,
  restoreStep,
  takeOverStep,
  updateStep,
} from './steps.ts';

/** What is wrong with a resource of a project. */
export interface PlanError {
  readonly kind: Resource['kind'];
  readonly resource: string;
  readonly error: string;
}

/** A difference between two definitions, as the grammar of data files sees it. */
export interface Difference {
  readonly impact: 'inPlace' | 'rebuild' | 'destructive';
  /** A sentence. */
  readonly message: string;
}

/** What to say about one step. */
export interface Notice {
  readonly step: Step;
  /** True if rows or values are lost, or may be. */
  readonly isLoss: boolean;
  readonly message: string;
}

export interface Plan {
  readonly steps: readonly Step[];
  readonly notices: readonly Notice[];
  /** Why the plan cannot be carried out; there are no steps then. */
  readonly errors: readonly PlanError[];
}

export interface PlanOptions {
  readonly catalog: Catalog;
  readonly tables: DataSources;
  readonly judges: Judges;
  /** Differences for people to read; without it they hear only what happens to tables. */
  readonly diff?: ((before: Resource, after: Resource) => readonly Difference[]) | undefined;
  readonly newId: () => string;
  readonly stamp: Stamp;
  /** Rows of the workspace's tables. A data source that came with the server and has none is not there for a project. */
  readonly sizes: RowCounts;
  /** Data sources that a former deployment dropped and whose tables are still there. */
  readonly kept: readonly DataSourceEntry[];
  /** Whether the tables of what is dropped now are put out of sight instead of removed. */
  readonly keepsDropped: boolean;
}

/** Compares the workspace with the project. Rejects only if something is wrong that is not the project's fault. */
export async function planProject(tenant: string, project: readonly Resource[], options: PlanOptions): Promise<Plan> {
  const errors = await check(tenant, project, options);
  if (errors.length > 0) return { steps: [], notices: [], errors };
  const { catalog, tables, stamp, newId, sizes } = options;
  const steps: Step[] = [];
  const wanted = new Set(project.map(({ kind, name }) => `${kind} ${name}`));
  for (const resource of project) {
    if (resource.kind !== 'datasource') continue;
    const entry = catalog.dataSource(tenant, resource.name);
    if (entry === undefined) {
      const kept = options.kept.find(({ definition }) => sameDefinition(definition, resource));
      if (kept === undefined)
        steps.push(createStep(tables, resource, { ...stamp, tenant, id: newId(), builtIn: false }));
      else steps.push(restoreStep(tables, kept, stamp));
    } else if (!isUsed(entry, sizes)) {
      steps.push(takeOverStep(tables, entry, resource, stamp));
    } else if (entry.builtIn || !sameDefinition(entry.definition, resource)) {
      steps.push(updateStep(tables, entry, resource, stamp));
    }
  }
  for (const resource of project) {
    if (resource.kind !== 'pipe') continue;
    const former = catalog.pipe(tenant, resource.name);
    if (former !== undefined && sameDefinition(former.definition, resource)) continue;
    const dropped = former === undefined ? droppedPipe(tenant, resource, catalog) : undefined;
    if (dropped !== undefined) steps.push(restorePipeStep(dropped, stamp));
    else steps.push(putPipeStep(former, resource, { ...stamp, tenant, id: former?.id ?? newId() }));
  }
  for (const entry of catalog.list(tenant)) {
    // What the server brought, and nobody took over, is no part of anybody's project.
    if (entry.builtIn || wanted.has(`${entry.kind} ${entry.name}`)) continue;
    if (entry.kind === 'pipe') steps.push(dropPipeStep(entry, stamp));
    else steps.push(dropStep(tables, entry, stamp, options.keepsDropped));
  }
  return { steps, notices: steps.flatMap((step) => noticesOf(tenant, step, project, options)), errors: [] };
}

/** What a deployment says of its plan. Losses that are not allowed are errors. */
export function reportOf({ steps, notices, errors }: Plan, allowDestructive: boolean): DeploymentReport {
  const refused = notices.flatMap(({ step, isLoss, message }) =>
    isLoss && !allowDestructive
      ? [
          {
            kind: step.resource,
            resource: step.name,
            error: `cannot deploy ${step.name}: ${message}; allow destructive operations for that`,
          },
        ]
      : [],
  );
  const names = (kind: Step['kind'], resource: Step['resource']): string[] =>
    steps.filter((step) => step.kind === kind && step.resource === resource).map(({ name }) => name);
  return {
    newDataSources: names('create', 'datasource'),
    changedDataSources: names('update', 'datasource'),
    deletedDataSources: names('drop', 'datasource'),
    newPipes: names('create', 'pipe'),
    changedPipes: names('update', 'pipe'),
    deletedPipes: names('drop', 'pipe'),
    feedback: notices.map(({ step, isLoss, message }) => ({
      level: isLoss ? 'warning' : 'info',
      resource: step.name,
      message,
    })),
    errors: [...errors, ...refused],
    kept: [],
  };
}

function noticesOf(
  tenant: string,
  step: Step,
  project: readonly Resource[],
  { catalog, diff }: Pick<PlanOptions, 'catalog' | 'diff'>,
): Notice[] {
  const losses = step.losses.map((loss) => ({ step, isLoss: true, message: loss }));
  const before = catalog.find(tenant, step.name)?.definition;
  const after = project.find(({ kind, name }) => kind === step.resource && name === step.name);
  if (step.kind !== 'update' || before === undefined || after === undefined || diff === undefined) {
    const rest = step.kind === 'update' ? step.changes : [];
    return [...losses, ...rest.map((message) => ({ step, isLoss: false, message }))];
  }
  const said = diff(before, after).map(({ impact, message }) => ({ step, isLoss: impact === 'destructive', message }));
  return said.some(({ isLoss }) => isLoss) ? said : [...losses, ...said];
}

async function check(
  tenant: string,
  project: readonly Resource[],
  { catalog, judges, sizes }: PlanOptions,
): Promise<PlanError[]> {
  const errors: PlanError[] = [];
  const described = new Set(project.map(({ kind, name }) => `${kind} ${name}`));
  const untouched = catalog
    .list(tenant)
    .filter(({ builtIn, kind, name }) => builtIn && !described.has(`${kind} ${name}`));
  const names = untouched.map(({ name }) => name);
  const among = [...project, ...untouched.map(({ definition }) => definition)];
  for (const resource of project) {
    const { kind, name } = resource;
    try {
      checkClash(kind, name, names);
      names.push(name);
      if (kind === 'pipe') await checkPipe(tenant, resource, among, judges);
      else {
        const former = catalog.dataSource(tenant, name);
        const isThere = former !== undefined && isUsed(former, sizes);
        await checkDataSource(resource, judges, isThere ? former.definition : undefined);
      }
    } catch (error) {
      if (!(error instanceof AppError) || error.kind.httpStatus >= 500) throw error;
      errors.push({ kind, resource: name, error: messageOf(error) });
    }
  }
  return errors;
}

/** The last pipe that was dropped and said the same. */
function droppedPipe(tenant: string, pipe: Pipe, catalog: Catalog): PipeEntry | undefined {
  const dropped = catalog
    .snapshot()
    .flatMap((row) => (row.kind === 'pipe' && row.deleted && row.tenant === tenant ? [row] : []));
  const same = dropped.filter(({ definition }) => sameDefinition(definition, pipe));
  return same.toSorted((a, b) => b.version - a.version)[0];
}

/** True if two definitions say the same, in whatever order their keys stand. */
function sameDefinition(a: Resource, b: Resource): boolean {
  return canonical(a) === canonical(b);
}

function canonical(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}
