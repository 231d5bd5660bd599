/**
 * Judges one statement for one credential: the syntax tree, then the resolved tree, then in which order its expressions may be
 * evaluated. Separate from the door because statements are also judged without being run.
 *
 * Must stay true: the engine sees of a statement only what the judge of the syntax tree has let through, and it resolves it under
 * the same conditions on tables under which it runs; resolving runs subqueries already.
 */

import {
  aggregationOf,
  confirm,
  fallibility,
  hasFirstRows,
  isUnfolded,
  judge,
  judgeExpression,
  parseAst,
  parseResolved,
  resolvedTables,
  scalarsCanFail,
  splitExpression,
  splitStatement,
  walkAst,
} from '@glasshouse/language';
import type { AstNode, Fallibility, Policy, Statement, TableName, Verdict } from '@glasshouse/language';
import { AppError } from '@glasshouse/model';
import type { Settings } from '@glasshouse/store';
import { SHARED_DATABASE, VIEWS } from '@glasshouse/store';
import { explain, type Explainer, type Explanation } from './explain.ts';
import { fasterSettings } from './faster.ts';
import { NEWEST_FIRST, orderSettings, type Order } from './order.ts';
import { catalogFilters, filterSetting, NO_RIGHT, type Rights, type Written } from './reads.ts';
import { shapeOf } from './shape.ts';
import { Verdicts } from './verdicts.ts';

/** What was found of a statement that was let through. */
export interface Ruling {
  /** Settings with which it has to run, whatever the client asks for. */
  readonly settings: Readonly<Record<string, string>>;
  /** Settings with which the same answer comes sooner. */
  readonly faster: Readonly<Record<string, string>>;
  /** Tables that it reads, those behind views and in arguments of table functions not among them. */
  readonly tables: readonly TableName[];
  /** True if it holds for every statement of the shape. */
  readonly isGeneral: boolean;
}

/** A statement before the judge. */
export interface Case {
  readonly statement: Statement;
  /** Values of its parameters, as settings. */
  readonly params: Settings;
  /** Settings of the client that change what the statement comes to. */
  readonly resolving: Settings;
  /** Values of its parameters that stand for names. */
  readonly names: readonly unknown[];
  readonly rights: Rights;
  readonly written: Written | undefined;
  readonly signal: AbortSignal | undefined;
}

export interface JudgementOptions extends Explainer {
  readonly now: () => number;
}

const VERDICTS = 2_000;
const VERDICT_TTL_MS = 60_000;
const CATALOG_TABLES = `${SHARED_DATABASE}.catalog_tables`;
/** Views of the catalogue whose tables know names of other tenants. */
const NAMES_OF_OTHERS: ReadonlySet<string> = new Set(
  ['catalog_columns', 'catalog_databases', 'catalog_tables'].map((view) => `${SHARED_DATABASE}.${view}`),
);
const SIZES: ReadonlySet<string> = new Set(['total_bytes', 'total_rows']);

export class Judgement {
  private readonly options: JudgementOptions;
  private readonly rulings: Verdicts<Ruling>;
  /** Row filters that were judged, for their table. */
  private readonly filters: Verdicts<true>;

  constructor(options: JudgementOptions) {
    this.options = options;
    this.rulings = new Verdicts(VERDICTS, VERDICT_TTL_MS, options.now);
    this.filters = new Verdicts(VERDICTS, VERDICT_TTL_MS, options.now);
  }

  /** Lets the statement through, or rejects with `forbidden` or `bad_request`, or with the engine's own refusal. */
  async rule(one: Case): Promise<Ruling> {
    const { statement, rights, names, params, resolving } = one;
    const who = [rights.tenant, rights.key, names, resolving];
    const general = JSON.stringify([...who, shapeOf(statement, params)]);
    // Where rows are hidden by a filter, the value of a literal can decide whether something fails.
    const exact = JSON.stringify([...who, statement.sql, params]);
    const known = this.rulings.get(general) ?? this.rulings.get(exact);
    if (known !== undefined) return known;
    const ast = parseAst(await this.explain(one, 'AST', statement.sql));
    const verdict = judge(statement, ast, rights.policy);
    if (one.written !== undefined) await this.judgeWritten(one, one.written);
    const ruling = await this.resolve(one, ast, verdict);
    this.rulings.add(ruling.isGeneral ? general : exact, ruling);
    return ruling;
  }

  /** The tables that a statement names, without asking whether they exist. */
  async namesIn(one: Case): Promise<readonly TableName[]> {
    const ast = parseAst(await this.explain(one, 'AST', one.statement.sql));
    return namedTables(judge(one.statement, ast, one.rights.policy), one.rights.database);
  }

  /**
   * Judges a condition that is to hide rows of a table. It must not fail on any row, since it is evaluated on the hidden ones.
   * Rejects with `bad_request` or `forbidden`.
   */
  async judgeRowFilter(rights: Rights, table: string, filter: string): Promise<void> {
    const key = JSON.stringify([rights.tenant, table, filter]);
    if (this.filters.get(key) === true) return;
    const what = `the row filter of table ${table}`;
    const expression = splitExpression(filter, { what, total: true });
    const from = { rights, params: {}, resolving: {}, signal: undefined };
    const ast = parseAst(await this.explain(from, 'AST', expression.statement));
    judgeExpression(expression, ast, { what, total: true });
    const sql = `SELECT 1 FROM \`${rights.database}\`.\`${table.replaceAll(/[`\\]/gu, '\\$&')}\` WHERE (${expression.sql}\n)`;
    const tree = await this.explain(from, 'TREE', sql, orderSettings('unindexed'));
    const { fails, because } = fallibility(parseResolved(tree));
    if (fails !== 'never') {
      const why = `function ${because} can fail, also on rows that must stay hidden`;
      throw new AppError('forbidden', `cannot use ${what}: ${why}; compare columns as they are`);
    }
    this.filters.add(key, true);
  }

  /** The part that the caller wrote is held to the credential's rights. It is never run by itself. */
  private async judgeWritten(one: Case, { sql, nodes }: Written): Promise<void> {
    const policy = one.rights.writtenPolicy as Policy;
    const statement = splitStatement(sql);
    const ast = parseAst(await this.explain(one, 'AST', statement.sql));
    judge(statement, ast, policy, nodes);
  }

  private async resolve(one: Case, ast: AstNode, verdict: Verdict): Promise<Ruling> {
    const { rights, statement } = one;
    const named = namedTables(verdict, rights.database);
    if (rights.filters.size > 0 && named.some((table) => fullName(table) === CATALOG_TABLES)) judgeSizes(ast);
    for (const { database, table } of named) {
      const filter = rights.filters.get(`${database}.${table}`);
      if (filter !== undefined) await this.judgeRowFilter(rights, table, filter);
    }
    // What the judge took for a common table expression may be a view to the engine, as in the argument of a table function.
    const suspects = [...named, ...statement.ctes.map(({ name }) => ({ database: rights.database, table: name }))];
    const denied = deniedNames(one);
    const conditions = filterSetting(conditionsOn(named, rights, denied));
    const tree = await this.explain(one, 'TREE', statement.sql, {
      ...orderSettings(earlyOrder(hidingOf(suspects, rights), ast)),
      ...conditions,
    });
    const tables = confirm(resolvedTables(tree), rights.policy, () => []);
    judgeNames(tables, one, denied);
    const hiding = hidingOf([...suspects, ...tables], rights);
    const finding = hiding === 'nothing' ? undefined : fallibility(parseResolved(tree));
    const order = orderOf(hiding, finding);
    const isList = hiding === 'facts' && order === 'free' && hasFirstRows(parseResolved(tree));
    const settings = { ...orderSettings(order), ...(isList ? NEWEST_FIRST : {}), ...conditions };
    return {
      settings,
      faster: hiding === 'nothing' ? await this.fasterFor(one, tree, settings) : {},
      tables,
      isGeneral:
        finding === undefined || (hiding === 'facts' && !finding.hangsOnValues && isUnfolded(ast, parseResolved(tree))),
    };
  }

  private fasterFor(one: Case, tree: string, settings: Settings): Promise<Readonly<Record<string, string>>> {
    // Asked under the conditions under which it runs. If it cannot be told, the statement says why when it runs.
    const estimate = (): Promise<string> => this.explain(one, 'ESTIMATE', one.statement.sql, settings).catch(() => '');
    return fasterSettings(aggregationOf(parseResolved(tree)), estimate);
  }

  private explain(
    { rights, params, resolving, signal }: Pick<Case, 'params' | 'resolving' | 'rights' | 'signal'>,
    what: Explanation,
    sql: string,
    settings: Settings = {},
  ): Promise<string> {
    const { tenant } = rights;
    return explain(this.options, { tenant, what, sql, signal, settings: { ...resolving, ...params, ...settings } });
  }
}

/** What stands between the rows that a statement reads and those that its tables have. */
type Hiding = 'catalog' | 'facts' | 'nothing' | 'rows';

function hidingOf(tables: readonly TableName[], rights: Rights): Hiding {
  const is = (test: (table: TableName) => boolean): boolean => tables.some(test);
  if (is((table) => NAMES_OF_OTHERS.has(fullName(table)))) return 'catalog';
  if (rights.policy.hidesRows) return 'rows';
  // By name: in a tenant's database the name may also be that of its own table, which costs a little and hides nothing.
  return is(({ table }) => Object.hasOwn(VIEWS, table)) ? 'facts' : 'nothing';
}

/** The order for resolving a statement, which runs its subqueries that stand for values. */
function earlyOrder(hiding: Hiding, ast: AstNode): Order {
  switch (hiding) {
    case 'nothing':
      return 'free';
    case 'facts':
      return scalarsCanFail(ast, true) ? 'unindexed' : 'separate';
    case 'rows':
      return 'unindexed';
    case 'catalog':
      // The system tables evaluate conditions by themselves, before any other.
      if (scalarsCanFail(ast, false)) throw catalogRefusal('in a subquery');
      return 'unindexed';
  }
}

function catalogRefusal(what: string): AppError {
  return new AppError(
    'forbidden',
    `cannot ask the system tables ${what}: it can fail on what is not yours; compare columns as they are, and convert them in the select list`,
  );
}

function orderOf(hiding: Hiding, finding: Fallibility | undefined): Order {
  if (finding === undefined) return 'free';
  const { fails, because, resultFails } = finding;
  if (fails === 'never') return resultFails ? 'unprojected' : 'free';
  if (hiding === 'catalog') throw catalogRefusal(`with function ${because}`);
  return hiding === 'facts' && fails === 'on_text' ? 'separate' : 'unindexed';
}

/** Row filters, what the catalogue may show, and nothing at all of tables that must not be read. */
function conditionsOn(named: readonly TableName[], rights: Rights, denied: ReadonlySet<string>): Map<string, string> {
  const conditions = new Map(rights.filters);
  if (named.some(({ database }) => database === SHARED_DATABASE)) {
    for (const [table, condition] of catalogFilters(rights)) {
      if (named.some((one) => fullName(one) === table)) conditions.set(table, condition);
    }
  }
  for (const table of denied) conditions.set(`${rights.database}.${table}`, '0');
  return conditions;
}

/**
 * Names that the judge took for common table expressions, where not every table may be read: were the engine to see a table there,
 * it has no row.
 */
function deniedNames({ rights: { tables }, statement, written }: Case): ReadonlySet<string> {
  if (tables === undefined) return new Set();
  const { ctes } = written === undefined ? statement : splitStatement(written.sql);
  return new Set(ctes.flatMap(({ name }) => (tables.has(name) ? [] : [name])));
}

/** How many rows a table has is not for those who see some of them. */
function judgeSizes(ast: AstNode): void {
  const nodes = [...walkAst(ast)];
  const stars = nodes.filter(({ kind }) => kind.endsWith('Asterisk') || kind.endsWith('Matcher')).length;
  const counted = nodes.filter(
    (node) => node.kind === 'Function' && /^count$/iu.test(node.text) && isStar(node),
  ).length;
  const named = nodes.some(
    ({ kind, text: name }) => kind === 'Identifier' && SIZES.has(name.slice(name.lastIndexOf('.') + 1)),
  );
  if (stars === counted && !named) return;
  throw new AppError(
    'forbidden',
    'cannot read total_rows and total_bytes: the credential sees some rows only; name the other columns, without *',
  );
}

function isStar(node: AstNode): boolean {
  const [list, ...more] = node.children;
  return more.length === 0 && list?.children.length === 1 && list.children[0]?.kind === 'Asterisk';
}

/** A name of a node, or of a common table expression where not every table may be read, must not have meant a table. */
function judgeNames(tables: readonly TableName[], { written, rights }: Case, denied: ReadonlySet<string>): void {
  const taken = tables.find(
    ({ database, table }) => database === rights.database && (written?.nodes.has(table) === true || denied.has(table)),
  );
  if (taken === undefined) return;
  throw new AppError('forbidden', `cannot read table ${taken.table}: ${NO_RIGHT}`);
}

function namedTables(verdict: Verdict, database: string): TableName[] {
  return [...verdict.tables, ...verdict.possibleTables.map((table) => ({ database, table }))];
}

function fullName({ database, table }: TableName): string {
  return `${database}.${table}`;
}
