/**
 * Whether a statement's expressions can fail on a row. Where rows are hidden by a condition (a tenant's view, the row filter of a token),
 * the engine may evaluate the user's conditions first: on hidden rows, and on the values in its indexes. An expression that fails there
 * tells, by failing, what the rows hold.
 *
 * Must stay true: whatever is not known here can fail. The select list of the outermost query is left out, because nothing depends on
 * it: the engine computes it behind all conditions.
 */

import { walkAst, type AstNode } from './ast.ts';
import { isConstantCall } from './calls.ts';
import { isAggregate } from './functions.ts';
import { callOf, heading, listed, sourceOf, typeOf, walkResolved, type ResolvedNode } from './resolved.ts';
import { fitsTimes, readsText, totality, totalityByName, type Totality } from './total.ts';

/**
 * `never`: any order of evaluation will do. `on_text`: only functions that read a text can fail, on columns that are texts themselves.
 * `anywhere`: anything else.
 */
export interface Fallibility {
  readonly fails: 'never' | 'on_text' | 'anywhere';
  /** The first function that can fail. */
  readonly because: string | undefined;
  /** Whether something can fail in what the outermost query makes of its rows. Only projections of a table would be asked before. */
  readonly resultFails: boolean;
  /** Whether the finding hangs on the value of a constant that was computed, be it of a parameter: it is none about another value. */
  readonly hangsOnValues: boolean;
}

/** Sections of the outermost query that nothing else reads. */
const RESULT: ReadonlySet<string> = new Set([
  'PROJECTION',
  'GROUP BY',
  'ORDER BY',
  'LIMIT BY',
  'LIMIT BY LIMIT',
  'LIMIT BY OFFSET',
  'LIMIT',
  'OFFSET',
]);

const INTEGER = /^(?:U?Int(?:8|16|32|64)|Bool)$/u;
const NUMBER = /^(?:U?Int(?:8|16|32|64|128|256)|B?Float(?:16|32|64)|Bool)$/u;
const DECIMAL = /^Decimal\(\d+, \d+\)$/u;
const DECIMALS_BY_TEXT = /^Map\(String, Decimal\(\d+, \d+\)\)$/u;
/** `UInt64_0` is how the engine prints every constant zero that is a whole number without a sign. */
const ZERO = /^constant_value: UInt64_0,/u;
const ENUM = /^Enum(?:8|16)\(/u;
const DATE = /^Date$/u;
const SECONDS = /^DateTime(?:\('[\w/+-]*'\))?$/u;
const CLOCK = /^(?:DateTime(?:\('[\w/+-]*'\))?|DateTime64\(\d(?:, '[\w/+-]*')?\))$/u;
const TEXT = /^(?:String|Map\(String, String\)|Array\(String\)|Map\(String, Array\(String\)\))$/u;
/** Types whose comparison cannot overflow and whose values have one type only. */
const PLAIN_WORDS =
  /^(?:U?Int(?:8|16|32|64|128|256)|Float(?:32|64)|Bool|String|FixedString|Date|DateTime|DateTime64|Enum(?:8|16)|UUID|IPv[46]|Nullable|LowCardinality|Array|Map|Tuple|Nothing|Set|Interval(?:Second|Minute|Hour|Day|Week|Month|Quarter|Year))$/u;

/** Rules that look at the value of a constant. */
const BY_VALUE: ReadonlySet<Totality> = new Set(['divisor', 'pattern', 'rounding']);

/** What a resolved statement can fail on. */
export function fallibility(root: ResolvedNode): Fallibility {
  const inquest = new Inquest(root);
  const result = new Inquest(root);
  for (const part of root.kind === 'QUERY' ? root.children : [root]) {
    const isResult = RESULT.has(part.kind);
    if (isResult) result.visit(part);
    for (const node of isResult ? queriesIn(part) : [part]) inquest.visit(node);
  }
  return {
    ...inquest.finding(),
    resultFails: result.finding().fails !== 'never',
    hangsOnValues: inquest.hangsOnValues || result.hangsOnValues,
  };
}

/** The outermost queries in a part of another. */
function queriesIn(node: ResolvedNode): readonly ResolvedNode[] {
  return node.kind === 'QUERY' || node.kind === 'UNION' ? [node] : node.children.flatMap(queriesIn);
}

/**
 * Whether a subquery that stands for a value could fail, by the names in the syntax tree alone. The engine runs such subqueries when it
 * resolves the statement, hence before anything is known about types. `behind` says that they run with the user's conditions behind the
 * hiding ones, so that only what an index evaluates counts.
 */
export function scalarsCanFail(root: AstNode, behind: boolean): boolean {
  const hasScalar = [...walkAst(root)].some(
    (node) => node.kind !== 'TableExpression' && node.children.some(({ kind }) => kind === 'Subquery'),
  );
  return hasScalar && canFailByName(root, behind);
}

function canFailByName(node: AstNode, behind: boolean): boolean {
  const inside = (): boolean => node.children.some((child) => canFailByName(child, behind));
  if (node.kind !== 'Function') return inside();
  if (isConstantCall(node)) return false;
  const { text } = node;
  const known =
    text === 'lambda' ||
    totalityByName(text) !== undefined ||
    isAggregate(text) ||
    (behind && (readsText(text) || fitsTimes(text)));
  return !known || inside();
}

class Inquest {
  hangsOnValues = false;
  /** Ids of tables: a column of one is what is stored, one of a subquery may be computed of anything. */
  private readonly tables: ReadonlySet<number | undefined>;
  private fails: Fallibility['fails'] = 'never';
  private because: string | undefined;
  /** Digits behind the seconds, of times that rows bring and of constant ones. */
  private readonly scales = new Set<number>();
  private constantScale = 0;

  constructor(root: ResolvedNode) {
    this.tables = new Set([...walkResolved(root)].filter((node) => node.kind === 'TABLE').map((node) => node.id));
  }

  finding(): Pick<Fallibility, 'because' | 'fails'> {
    // Times are compared in the finer of two scales, which those that are far away do not fit.
    const [scale = 9] = this.scales;
    if (this.scales.size > 1 || this.constantScale > scale) this.blame('anywhere', 'comparison of times');
    return { fails: this.fails, because: this.because };
  }

  visit(node: ResolvedNode): void {
    this.noteScale(node);
    // What a constant was made of counts where a column is in it: it is one only because of another constant.
    if (node.kind === 'CONSTANT' && ![...walkResolved(node)].some(({ kind }) => kind === 'COLUMN')) return;
    if (node.kind === 'FUNCTION') this.judge(node);
    for (const child of node.children) this.visit(child);
  }

  private judge(node: ResolvedNode): void {
    const call = callOf(node);
    if (call?.type === 'aggregate' || call?.type === 'window') return;
    const parameters = listed(node, 'ARGUMENTS');
    const [first, ...rest] = parameters;
    const rule = call === undefined ? undefined : totality(call.name);
    if (rule !== undefined && parameters.every(isPlain) && holds(rule, node, parameters)) {
      if (BY_VALUE.has(rule) && rest.some((one) => !isLiteral(one))) this.hangsOnValues = true;
      return;
    }
    if (call !== undefined && takesDecimals(call.name, parameters)) return;
    const reads = call !== undefined && readsText(call.name) && this.isText(first) && rest.every(isConstant);
    this.blame(reads ? 'on_text' : 'anywhere', call?.name ?? 'of a table function');
  }

  /** A text in a table, or in a map in one: an index may know it, but not what it says. */
  private isText(node: ResolvedNode | undefined): boolean {
    if (node === undefined || !TEXT.test(bareType(node))) return false;
    if (node.kind === 'COLUMN') return this.tables.has(sourceOf(node)) && heading(node, 'EXPRESSION') === undefined;
    if (callOf(node)?.name !== 'arrayElement') return false;
    const [map, key] = listed(node, 'ARGUMENTS');
    return this.isText(map) && isConstant(key);
  }

  private blame(fails: 'on_text' | 'anywhere', because: string): void {
    if (this.fails === 'anywhere' || this.fails === fails) return;
    this.fails = fails;
    this.because = because;
  }

  private noteScale(node: ResolvedNode): void {
    for (const [, digit] of typeOf(node)?.matchAll(/DateTime64\((\d)/gu) ?? []) {
      const scale = Number(digit);
      if (node.kind === 'CONSTANT') this.constantScale = Math.max(this.constantScale, scale);
      // What a function cuts to whole seconds was read at a scale that is noted, too.
      else if (scale > 0 || node.kind === 'COLUMN') this.scales.add(scale);
    }
  }
}

function holds(rule: Totality, node: ResolvedNode, parameters: readonly ResolvedNode[]): boolean {
  const [first, second] = parameters;
  const rest = parameters.slice(1);
  switch (rule) {
    case 'always':
      return true;
    case 'comparison':
      return parameters.every((parameter) => !mayBeNull(parameter)) || new Set(parameters.map(kindOf)).size === 1;
    case 'first':
      return rest.every(isConstant);
    case 'pattern':
      return rest.length === 1 && !isConstant(first) && /^constant_value: '[^\\]*$/u.test(second?.text ?? '');
    case 'one':
      return parameters.filter((parameter) => !isConstant(parameter)).length <= 1;
    case 'rounding':
      return rest.every((scale) => /^constant_value: (?:U?Int64_-?\d|UInt64_1[0-8]),/u.test(scale.text));
    case 'numbers':
      return parameters.every((parameter) => NUMBER.test(bareType(parameter)));
    case 'divisor':
      return INTEGER.test(bareType(first)) && /^constant_value: UInt64_[1-9]/u.test(second?.text ?? '');
    case 'from numbers':
      return rest.length === 0 && [INTEGER, ENUM, DATE, SECONDS].some((pattern) => pattern.test(bareType(first)));
    case 'times':
      return parameters.every((one) => isConstant(one) || DATE.test(bareType(one)) || CLOCK.test(bareType(one)));
    case 'clock':
      return parameters.every((one) => isConstant(one) || CLOCK.test(bareType(one)));
    case 'higher order':
      return parameters.length <= 2;
    case 'element':
      return bareType(first).startsWith('Map(') || isConstant(second);
    case 'cast':
      return castHolds(typeOf(first) ?? '', typeOf(node) ?? '');
  }
}

/**
 * Whether a function takes these decimals, whatever they are. Computing with them can overflow, and so can comparing them: the engine
 * first multiplies one side until both have as many digits behind the point.
 */
function takesDecimals(name: string, parameters: readonly ResolvedNode[]): boolean {
  const [first, second] = parameters;
  switch (name) {
    // Each is there or not, and has a float near it.
    case 'isNull':
    case 'isNotNull':
    case 'toFloat32':
    case 'toFloat64':
      return parameters.length === 1 && isDecimal(first);
    // A whole number is the side that is multiplied, and zero stays zero.
    case 'equals':
    case 'notEquals':
    case 'less':
    case 'lessOrEquals':
    case 'greater':
    case 'greaterOrEquals':
      return parameters.length === 2 && ((isDecimal(first) && isZero(second)) || (isZero(first) && isDecimal(second)));
    // What is of one type already is put side by side as it is.
    case 'array':
      return parameters.every((one) => isDecimal(one) && typeOf(one) === typeOf(first));
    // A key that is not there has the value zero. Keys are compared as texts.
    case 'arrayElement':
      return (
        parameters.length === 2 &&
        DECIMALS_BY_TEXT.test(bareType(first)) &&
        isConstant(second) &&
        bareType(second) === 'String'
      );
    default:
      return false;
  }
}

function isDecimal(node: ResolvedNode | undefined): boolean {
  return DECIMAL.test(bareType(node));
}

/** As it is written: what was computed, as a parameter is, may be something else the next time. */
function isZero(node: ResolvedNode | undefined): boolean {
  return isLiteral(node) && ZERO.test(node?.text ?? '') && INTEGER.test(bareType(node));
}

/** A cast to text, to the same type, or from whole numbers to numbers. */
function castHolds(from: string, to: string): boolean {
  if (from.includes('Nullable(') && !to.includes('Nullable(')) return false;
  const [a, b] = [bare(from), bare(to)];
  return a === b || b === 'String' || (INTEGER.test(a) && NUMBER.test(b));
}

/** Whether all of an argument's type is known to be harmless. What is in a lambda or a query is judged by itself. */
function isPlain(node: ResolvedNode): boolean {
  if (['LAMBDA', 'QUERY', 'TABLE', 'UNION'].includes(node.kind)) return true;
  const type = typeOf(node);
  if (type === undefined) return false;
  const names = type.replaceAll(/'(?:[^'\\]|\\.)*'/gsu, '').match(/[A-Za-z_]\w*/gu) ?? [];
  return names.every((name) => PLAIN_WORDS.test(name));
}

function mayBeNull(node: ResolvedNode): boolean {
  return typeOf(node)?.includes('Nullable(') ?? false;
}

function kindOf(node: ResolvedNode): string {
  const type = bareType(node);
  return NUMBER.test(type) ? 'number' : DATE.test(type) || CLOCK.test(type) ? 'time' : type;
}

function isConstant(node: ResolvedNode | undefined): boolean {
  return node?.kind === 'CONSTANT';
}

/** A constant that nothing was computed for. A parameter that is a text is one, too. */
function isLiteral(node: ResolvedNode | undefined): boolean {
  return isConstant(node) && node?.children.length === 0;
}

function bareType(node: ResolvedNode | undefined): string {
  return bare(typeOf(node) ?? '');
}

/** Without the wrappers that do not change what a value is. */
function bare(type: string): string {
  return type.replaceAll(/(?:Nullable|LowCardinality)\(([^()]*(?:\([^()]*\))?)\)/gu, '$1');
}
