/**
 * Endpoints: what a request to a published pipe, or a query that names pipes like tables, comes to as one statement, and with
 * which rights it runs. Nothing is run here; the statement goes through the query door.
 *
 * Must stay true: nodes run with the rights of the workspace, which is what publishing them means; what the caller wrote is held
 * to what the caller may read. A filter of the caller's scope is put around the pipe's result, behind every other use of it.
 */

import { composePipe, composeQuery, namedTables, resultNode } from '@glasshouse/language';
import type { TemplateParameter } from '@glasshouse/language';
import type { Pipe, PipeNode } from '@glasshouse/model';
import { AppError } from '@glasshouse/model';
import type { StatementOptions } from '../query/door.ts';
import type { Callables } from './built-in-pipes.ts';
import { builtInViews } from './built-in-pipes.ts';
import { readsAll, readsOf } from './endpoints-reads.ts';
import type { CallValues } from './endpoints-templates.ts';
import { NO_VALUES, Rendering, Templates } from './endpoints-templates.ts';
import type { WorkspacePrincipal } from './principal.ts';
import { demand, principalOf } from './principal.ts';
import { namesIn } from './references.ts';
import type { PipeEntry } from './resource-row.ts';
import { withoutServiceDatabase } from './usage-names.ts';

export interface EndpointsOptions {
  readonly catalog: Callables;
  /** Values for `tb_secret`, by name. */
  readonly secrets?: (tenant: string) => ReadonlyMap<string, string>;
}

/** A statement that is ready for the door. */
export interface ComposedQuery {
  readonly sql: string;
  readonly options: Pick<StatementOptions, 'hidesRows' | 'params' | 'reads' | 'views' | 'written'>;
  /** Settings that the templates ask for. */
  readonly settings: Readonly<Record<string, string>>;
  /** How long the answer may be kept; undefined for not at all. */
  readonly cacheSeconds: number | undefined;
}

/** What goes with the statement of somebody who reads all. */
interface Whole {
  /** Values of placeholders by name, as plain text. */
  readonly bound: Readonly<Record<string, string>>;
  readonly views: NonNullable<StatementOptions['views']>;
}

export interface ComposeOptions {
  /** Name or id of a pipe whose nodes the query may name. */
  readonly pipeline?: string | undefined;
  readonly call?: CallValues;
}

/** By this name a query over a pipe reads its result. */
const RESULT = '_';
/** A filter behind a limit is not evaluated together with what stands in front of it. */
const ALL_ROWS = '18446744073709551615';

export class Endpoints {
  readonly templates = new Templates();
  /** What can be called: pipes of the workspace, and those that every workspace has. */
  readonly callables: Callables;
  private readonly options: EndpointsOptions;
  private readonly pipes = new Map<string, { readonly revision: number; readonly byName: ReadonlyMap<string, Pipe> }>();

  constructor(options: EndpointsOptions) {
    this.options = options;
    this.callables = options.catalog;
  }

  /** The pipe behind an endpoint. Throws `forbidden` without a scope for it, and `not_found` if it is none. */
  find(principal: WorkspacePrincipal, which: string): PipeEntry {
    const entry = this.options.catalog.pipe(principal.tenant, which);
    demand(principal, 'PIPES:READ', entry ?? { name: which.slice(0, 130) });
    if (entry === undefined) throw new AppError('not_found', `cannot find pipe=${which.slice(0, 130)}: there is none`);
    if (endpointOf(entry.definition) === undefined)
      throw new AppError(
        'not_found',
        `cannot run pipe=${entry.name}: it has no endpoint; give one of its nodes TYPE endpoint`,
      );
    return entry;
  }

  /** The statement of a request to an endpoint; `over` is SQL over its result, which it names `_` or by the pipe's name. */
  query(principal: WorkspacePrincipal, entry: PipeEntry, call: CallValues, over: string | undefined): ComposedQuery {
    const given = over === undefined ? undefined : withoutServiceDatabase(over);
    const others = given === undefined ? [] : this.pipesIn(principal.tenant, given);
    const rendering = this.render(principal.tenant, call);
    rendering.fix(fixedOf(principal, [entry, ...others]));
    const filter = principal.pipeFilter(entry);
    const pipe = this.filtered(entry.definition, filter, rendering, principal.tenant);
    const hides = filter === undefined ? {} : { hidesRows: true };
    const node = resultNode(pipe) as PipeNode;
    const pipes = this.pipesOf(principal.tenant);
    if (given === undefined) {
      const sql = composePipe(pipe, node.name, rendering.node, { pipes });
      return finished(sql, rendering, hides, entry.definition.cacheSeconds);
    }
    const named = new Map(pipes).set(RESULT, pipe).set(entry.name, pipe);
    const nodes = new Set([RESULT, entry.name]);
    const hidden = this.admitPipes(principal, given, named, nodes, rendering);
    const sql = composeQuery(given, rendering.node, { pipes: named });
    const options = { ...hides, ...(hidden ? { hidesRows: true } : {}), ...this.rights(principal, given, nodes) };
    return finished(sql, rendering, options, entry.definition.cacheSeconds);
  }

  /** The statement of a query that may name pipes, and with `pipeline` the nodes of one. A template is rendered first. */
  compose(
    principal: WorkspacePrincipal,
    sql: string,
    { pipeline, call = NO_VALUES }: ComposeOptions = {},
  ): ComposedQuery {
    const rendering = this.render(principal.tenant, call);
    const plain = isTemplate(sql) ? rendering.text(sql, 'q', readsAll(principal)) : sql;
    const given = withoutServiceDatabase(plain);
    const others = this.pipesIn(principal.tenant, given);
    rendering.fix(fixedOf(principal, others));
    const within = pipeline === undefined ? undefined : this.pipeline(principal, pipeline);
    if (within === undefined && others.length === 0)
      return finished(given, rendering, this.plainRights(principal), undefined);
    const named = new Map(this.pipesOf(principal.tenant));
    const nodes = new Set(within?.nodes.map(({ name }) => name) ?? []);
    const hidden = this.admitPipes(principal, given, named, nodes, rendering);
    const composed = composeQuery(given, rendering.node, {
      pipes: named,
      ...(within === undefined ? {} : { within }),
    });
    const options =
      composed === given
        ? this.plainRights(principal)
        : { ...this.rights(principal, given, nodes), ...(hidden ? { hidesRows: true } : {}) };
    return finished(composed, rendering, options, undefined);
  }

  /** The statement of somebody who reads all of the workspace; it may name pipes and is no template. */
  whole(tenant: string, sql: string): Pick<ComposedQuery, 'settings' | 'sql'> & Whole {
    const reader = principalOf({
      tenant,
      tokenId: '',
      name: tenant,
      kind: 'key',
      scopes: [{ type: 'WORKSPACE:READ_ALL' }],
    });
    if (isTemplate(sql)) return { sql, settings: {}, bound: {}, views: [] };
    const { sql: composed, settings, options } = this.compose(reader, sql);
    return { sql: composed, settings, bound: options.params ?? {}, views: options.views ?? [] };
  }

  /** The statement of one node, for what runs in the background with the rights of the workspace. */
  node(tenant: string, pipe: Pipe, node: PipeNode, call: CallValues): ComposedQuery {
    const rendering = this.render(tenant, call);
    const sql = composePipe(pipe, node.name, rendering.node, { pipes: this.pipesOf(tenant) });
    return finished(sql, rendering, {}, undefined);
  }

  /** The statement of one node with values made up for its parameters, to find out what it gives. */
  sample(tenant: string, pipe: Pipe, node: PipeNode): ComposedQuery {
    const rendering = new Rendering(this.templates, NO_VALUES, this.secrets(tenant), true);
    const sql = composePipe(pipe, node.name, rendering.node, { pipes: this.pipesOf(tenant) });
    return finished(sql, rendering, {}, undefined);
  }

  /** What a pipe asks its callers for, its nodes and those of pipes that it names taken together. */
  parametersOf(tenant: string, pipe: Pipe): readonly TemplateParameter[] {
    const found = new Map<string, TemplateParameter>();
    for (const one of this.reachable(tenant, pipe)) {
      for (const parameter of this.templates.parametersOf(one)) {
        if (!found.has(parameter.name)) found.set(parameter.name, parameter);
      }
    }
    return [...found.values()];
  }

  private render(tenant: string, call: CallValues): Rendering {
    return new Rendering(this.templates, call, this.secrets(tenant));
  }

  private secrets(tenant: string): ReadonlyMap<string, string> {
    return this.options.secrets?.(tenant) ?? new Map<string, string>();
  }

  /** The pipe whose result is that of another one, without the rows that the filter hides. */
  private filtered(pipe: Pipe, filter: string | undefined, rendering: Rendering, tenant: string): Pipe {
    if (filter === undefined) return pipe;
    const node = resultNode(pipe) as PipeNode;
    const sql = composePipe(pipe, node.name, rendering.node, { pipes: this.pipesOf(tenant) });
    return only(node, `SELECT * FROM (\n${sql}\n) WHERE (${filter}\n) LIMIT ${ALL_ROWS}`, pipe);
  }

  /** Checks the pipes that the caller's text names; puts their filters around them. True if a filter hides rows. */
  private admitPipes(
    principal: WorkspacePrincipal,
    sql: string,
    named: Map<string, Pipe>,
    nodes: Set<string>,
    rendering: Rendering,
  ): boolean {
    let hidden = false;
    for (const entry of this.pipesIn(principal.tenant, sql)) {
      const { name } = entry;
      if (nodes.has(name)) continue;
      demand(principal, 'PIPES:READ', entry);
      const filter = principal.pipeFilter(entry);
      hidden ||= filter !== undefined;
      named.set(name, this.filtered(entry.definition, filter, rendering, principal.tenant));
      nodes.add(name);
    }
    return hidden;
  }

  /** The pipes that a text names like tables. */
  private pipesIn(tenant: string, sql: string): readonly PipeEntry[] {
    return tablesOf(sql).flatMap((name) => {
      const entry = this.options.catalog.pipe(tenant, name);
      return entry?.name === name ? [entry] : [];
    });
  }

  /** Rights of a text that names no pipe. Who reads some tables only is shown these. */
  private plainRights(principal: WorkspacePrincipal): ComposedQuery['options'] {
    const { catalog } = this.options;
    const reads = readsOf(principal, catalog);
    return readsAll(principal) ? { reads, views: builtInViews(principal.tenant, catalog) } : { reads };
  }

  /** The caller's own text is held to what the caller reads. */
  private rights(principal: WorkspacePrincipal, sql: string, nodes: ReadonlySet<string>): ComposedQuery['options'] {
    if (readsAll(principal)) return {};
    return { reads: readsOf(principal, this.options.catalog), written: { sql, nodes } };
  }

  /** Single nodes show more than the result that was published. */
  private pipeline(principal: WorkspacePrincipal, which: string): Pipe | undefined {
    const entry = this.options.catalog.pipe(principal.tenant, which);
    if (entry === undefined) return undefined;
    demand(principal, 'WORKSPACE:READ_ALL');
    return entry.definition;
  }

  private pipesOf(tenant: string): ReadonlyMap<string, Pipe> {
    const { catalog } = this.options;
    const known = this.pipes.get(tenant);
    if (known?.revision === catalog.revision) return known.byName;
    const byName = new Map(catalog.pipes(tenant).map(({ name, definition }) => [name, definition]));
    this.pipes.set(tenant, { revision: catalog.revision, byName });
    return byName;
  }

  private reachable(tenant: string, pipe: Pipe, seen: Set<Pipe> = new Set()): readonly Pipe[] {
    if (seen.has(pipe)) return [];
    seen.add(pipe);
    const pipes = this.pipesOf(tenant);
    const others = pipe.nodes.flatMap(({ sql }) => [...namesIn(sql)].flatMap((name) => pipes.get(name) ?? []));
    return [pipe, ...others.flatMap((other) => this.reachable(tenant, other, seen))];
  }
}

/** The node that is published as an endpoint. */
export function endpointOf(pipe: Pipe): PipeNode | undefined {
  return pipe.nodes.findLast(({ type }) => type === 'endpoint');
}

/**
 * Values of the token's own choice, whatever the caller sends. One rendering serves all pipes of a statement, so they must not
 * differ: throws `forbidden` if they do.
 */
function fixedOf(principal: WorkspacePrincipal, entries: readonly PipeEntry[]): ReadonlyMap<string, unknown> {
  const fixed = new Map<string, unknown>();
  for (const entry of entries) {
    for (const [name, value] of Object.entries(principal.fixedParams(entry))) {
      if (fixed.has(name) && JSON.stringify(fixed.get(name)) !== JSON.stringify(value))
        throw new AppError(
          'forbidden',
          `cannot read pipe=${entry.name} together with the others: the token fixes parameter ${name} to another value; ask for one after the other`,
        );
      fixed.set(name, value);
    }
  }
  return fixed;
}

function isTemplate(sql: string): boolean {
  return /^\s*%/u.test(sql);
}

function only(node: PipeNode, sql: string, pipe: Pipe): Pipe {
  return { ...pipe, nodes: [{ name: node.name, sql, type: 'endpoint', settings: {} }] };
}

/** Names that stand for tables; none in a text that cannot be read, about which the door knows what to say. */
function tablesOf(sql: string): readonly string[] {
  try {
    return namedTables(sql);
  } catch {
    return [];
  }
}

function finished(
  sql: string,
  { params, maxThreads, cacheSeconds }: Rendering,
  options: ComposedQuery['options'],
  ofPipe: number | undefined,
): ComposedQuery {
  return {
    sql,
    options: Object.keys(params).length === 0 ? options : { ...options, params },
    settings: maxThreads === undefined ? {} : { max_threads: String(maxThreads) },
    cacheSeconds: cacheSeconds ?? ofPipe,
  };
}
