/**
 * The SQL of pipes with the values of one request in it: each node's template is parsed once and rendered for every request.
 *
 * Must stay true: what comes out is judged by nobody yet; it goes through the query door, or is checked there before it becomes
 * part of another statement.
 */

import { parseTemplate, pipeParameters, renderTemplate, TemplateError } from '@glasshouse/language';
import type { NodeRenderer, RenderOptions, Template, TemplateParameter } from '@glasshouse/language';
import type { Pipe, PipeNode } from '@glasshouse/model';
import { AppError } from '@glasshouse/model';

/** The parameters of one request. */
export interface CallValues {
  /** By name: text, a list of texts if it came more than once, or whatever a JSON body holds. */
  readonly values: ReadonlyMap<string, unknown>;
  /** Those that came more than once. */
  readonly repeated?: ReadonlySet<string>;
}

export type { TemplateParameter };

export const NO_VALUES: CallValues = { values: new Map() };

/** A refusal with the status and the body that the pipe itself has chosen, or that tell of a wrong parameter. */
export class EndpointRefusal extends AppError {
  readonly status: number;
  readonly body: unknown;

  constructor(message: string, status: number, body: unknown, options: { readonly cause?: unknown } = {}) {
    super('bad_request', message, options);
    this.name = 'EndpointRefusal';
    this.status = status;
    this.body = body;
  }
}

/** Templates by node. A node that was changed is another object, so nothing here is ever out of date. */
export class Templates {
  private readonly parsed = new WeakMap<PipeNode, Template>();
  private readonly parameters = new WeakMap<Pipe, readonly TemplateParameter[]>();

  /** Throws `EndpointRefusal` for a template that cannot be read. */
  of(node: PipeNode, pipe: Pipe): Template {
    const known = this.parsed.get(node);
    if (known !== undefined) return known;
    const template = refusing(() => parseTemplate(node.sql, { node: node.name, file: `${pipe.name}.pipe` }));
    this.parsed.set(node, template);
    return template;
  }

  /** What the nodes of the pipe ask for, each parameter once; of a template that cannot be read, nothing. */
  parametersOf(pipe: Pipe): readonly TemplateParameter[] {
    const known = this.parameters.get(pipe);
    if (known !== undefined) return known;
    const readable = pipe.nodes.flatMap((node) => {
      try {
        return [this.of(node, pipe)];
      } catch {
        return [];
      }
    });
    const found = pipeParameters(readable);
    this.parameters.set(pipe, found);
    return found;
  }
}

/** One rendering of the nodes that a statement needs. */
export class Rendering {
  /** Values to bind to placeholders of the SQL: the secrets that it uses. */
  readonly params: Record<string, string> = {};
  maxThreads: number | undefined;
  cacheSeconds: number | undefined;
  private readonly templates: Templates;
  private call: CallValues;
  private readonly options: RenderOptions;

  /** With `sample` values are made up for parameters that are missing, and nothing is raised. */
  constructor(templates: Templates, call: CallValues, secrets: ReadonlyMap<string, string>, sample = false) {
    this.templates = templates;
    this.call = call;
    this.options = { secrets, missing: sample ? 'sample' : 'refuse' };
  }

  /** Throws `EndpointRefusal` for a value that is missing or wrong, and for what the template itself raises. */
  readonly node: NodeRenderer = (node, pipe) => this.render(this.templates.of(node, pipe));

  /** Sets parameters of what is rendered from now on, whatever the caller sent. */
  fix(fixed: ReadonlyMap<string, unknown>): void {
    if (fixed.size === 0) return;
    const { values, repeated } = this.call;
    this.call = {
      values: new Map([...values, ...fixed]),
      repeated: new Set([...(repeated ?? [])].filter((name) => !fixed.has(name))),
    };
  }

  /** Renders a template that is no node. One of somebody who may not look into the workspace gets none of its secrets. */
  text(sql: string, name: string, mayUseSecrets: boolean): string {
    const options = mayUseSecrets ? this.options : { ...this.options, secrets: new Map<string, string>() };
    return this.render(
      refusing(() => parseTemplate(sql, { node: name })),
      options,
    );
  }

  private render(template: Template, options = this.options): string {
    if (!template.usesTemplate) return renderTemplate(template, this.call.values).sql;
    const { sql, settings, parameters } = refusing(() => renderTemplate(template, this.valuesFor(template), options));
    Object.assign(this.params, parameters);
    const { max_threads: threads, cacheSeconds } = settings;
    if (threads !== undefined) this.maxThreads = Math.min(threads, this.maxThreads ?? threads);
    if (cacheSeconds !== undefined) this.cacheSeconds = Math.min(cacheSeconds, this.cacheSeconds ?? cacheSeconds);
    return sql;
  }

  /** What came more than once is a list where the template takes one, and text with commas where it takes text. */
  private valuesFor(template: Template): ReadonlyMap<string, unknown> {
    const { values, repeated } = this.call;
    if (repeated === undefined || repeated.size === 0) return values;
    const adapted = new Map(values);
    for (const name of repeated) {
      const list = values.get(name);
      if (!template.arrays.has(name) && Array.isArray(list)) adapted.set(name, list.join(','));
    }
    return adapted;
  }
}

function refusing<T>(act: () => T): T {
  try {
    return act();
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error;
    const { message, status, body } = error;
    throw new EndpointRefusal(message, status, body ?? { error: message }, { cause: error });
  }
}
