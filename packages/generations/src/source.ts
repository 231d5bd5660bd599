/**
 * The words in which a dialect's table is written. A source is data: where a text stands, what inside it is meant, and by
 * which of a closed set of conversions it is read. The interpreter and the compiler both follow it and know no dialect.
 *
 * Must stay true: a source yields a text or nothing; an empty text is nothing. A value that is none for its column is nothing
 * too, and the next source is asked.
 */

import type { WordTable } from './words.ts';

/** The span's attribute maps, in the order in which they are asked. */
export type AttributeType = 'string' | 'int' | 'double' | 'bool' | 'json';

/** Columns of a span that are read as texts: times and durations in nanoseconds, ids in hexadecimal digits. */
export type SpanField =
  | 'timestamp'
  | 'duration_ns'
  | 'trace_id'
  | 'span_id'
  | 'parent_span_id'
  | 'name'
  | 'status_code'
  | 'status_message'
  | 'scope_name'
  | 'resource_attributes'
  | 'http_status_code';

/** Steps into JSON: a key, or the place in an array. A text that holds JSON is opened as if it were that JSON. */
export type JsonPath = readonly (string | number)[];

/** A message as an event carries it: its role, and where its content may stand. */
export interface EventMessage {
  readonly role: string;
  readonly content: readonly JsonPath[];
}

/** Items of a message that are flattened like the messages themselves, `list.N.FIELD`: our name of each field, and theirs. */
export interface FlatItems {
  readonly list: string;
  readonly fields: Readonly<Record<string, string>>;
}

/** Messages flattened into attributes, `list.N.role`. */
export interface FlatList {
  readonly list: string;
  readonly role: string;
  readonly content: string;
  /** Parts of a message: `type`, and `text` or `url`. */
  readonly parts?: FlatItems;
  /** Calls of tools: `id`, `name`, `arguments`. */
  readonly calls?: FlatItems;
}

export type Origin =
  | { readonly attribute: string; readonly types: readonly AttributeType[] }
  | { readonly field: SpanField }
  /** The line of an event. */
  | { readonly line: true }
  | { readonly constant: string }
  /** The attributes of the first event of that name, as JSON. */
  | { readonly event: string }
  /** Messages that are events, as a JSON array of `{role, content}`. */
  | { readonly messages: Readonly<Record<string, EventMessage>> }
  /** Messages flattened into string attributes, as a JSON array of `{role, content}`, with `tool_calls` where there are any. */
  | FlatList
  /** The calls of tools in such a list, as a JSON array of `{id, name, arguments}`. */
  | { readonly callsIn: FlatList }
  /** When the first event of one of these names was, in nanoseconds since 1970. */
  | { readonly momentOf: readonly string[] }
  /** The string attributes that begin with this, as a JSON object without it. */
  | { readonly prefix: string }
  /** Milliseconds from one time to another; nothing if the second is earlier. */
  | { readonly from: Source; readonly until: Source };

/** How a text is read: a table of words, or one of these. Nothing means as it is. */
export type Conversion =
  | { readonly words: WordTable }
  /** Seconds as milliseconds. */
  | 'seconds'
  /** Seconds as whole milliseconds, rounded. */
  | 'whole seconds'
  /** Nanoseconds as milliseconds; for times nanoseconds since 1970. */
  | 'nanoseconds'
  /** The first and the second number of `1024x768`. */
  | 'width'
  | 'height'
  /** Whatever is there, as true. */
  | 'present'
  /** A list of calls of tools as one of `{id, name, arguments}` (`calls.ts`); nothing if none has a name. */
  | 'calls'
  /** The same of the parts `tool_call` of a list of messages. */
  | 'calls in messages';

export interface Source {
  readonly origin: Origin;
  readonly at?: JsonPath;
  readonly as?: Conversion;
}

/** A condition of recognition: something is there, and is one of these texts if any are given; or it is not there. */
export interface Condition {
  readonly source: Source;
  readonly in?: readonly string[];
  readonly absent?: true;
  /** It is none of these texts, or is not there. */
  readonly except?: readonly string[];
}

/** Which totals contain which parts; the rule of the same name in the tables of prices says the same. */
export interface Counting {
  readonly dialect: string;
  readonly cacheRead: boolean;
  readonly cacheWrite: boolean;
  readonly reasoning: boolean;
  readonly media: boolean;
}

export interface Dialect {
  readonly name: string;
  /** What it is read from: the columns of a span, or a line of JSON. */
  readonly over: 'span' | 'line';
  /** Any of these, each of which is all of its conditions. The first alternative's first conditions should be cheap. */
  readonly when: readonly (readonly Condition[])[];
  readonly counting: Counting;
  /** By column, the sources in the order in which they are asked. */
  readonly columns: Readonly<Record<string, readonly Source[]>>;
}

const extra = (at: JsonPath | undefined, as: Conversion | undefined): Pick<Source, 'at' | 'as'> => ({
  ...(at === undefined ? {} : { at }),
  ...(as === undefined ? {} : { as }),
});

/** A string attribute. */
export const text = (attribute: string, as?: Conversion): Source => ({
  origin: { attribute, types: ['string'] },
  ...extra(undefined, as),
});
/** An attribute that is a number, or a text of one. */
export const number = (attribute: string, as?: Conversion): Source => ({
  origin: { attribute, types: ['int', 'double', 'string'] },
  ...extra(undefined, as),
});
/** An attribute that is true or false. */
export const flag = (attribute: string): Source => ({ origin: { attribute, types: ['bool', 'string'] } });
/** An attribute that is a structure, or a text of one. */
export const structure = (attribute: string, ...at: JsonPath): Source => ({
  origin: { attribute, types: ['json', 'string'] },
  ...extra(at.length === 0 ? undefined : at, undefined),
});
export const field = (name: SpanField, as?: Conversion): Source => ({
  origin: { field: name },
  ...extra(undefined, as),
});
export const resource = (key: string): Source => ({ origin: { field: 'resource_attributes' }, at: [key] });
export const line = (...at: JsonPath): Source => ({ origin: { line: true }, at });
export const constant = (value: string): Source => ({ origin: { constant: value } });
export const event = (name: string, ...at: JsonPath): Source => ({ origin: { event: name }, at });
export const prefix = (start: string): Source => ({ origin: { prefix: start } });
export const list = (of: FlatList): Source => ({ origin: of });
export const callsIn = (of: FlatList): Source => ({ origin: { callsIn: of } });
export const momentOf = (...events: readonly string[]): Source => ({
  origin: { momentOf: events },
  as: 'nanoseconds',
});
export const between = (from: Source, until: Source): Source => ({ origin: { from, until } });
export const read = (source: Source, as: Conversion): Source => ({ ...source, as });

export const has = (source: Source): Condition => ({ source });
export const isOneOf = (source: Source, ...values: readonly string[]): Condition => ({ source, in: values });
export const isNoneOf = (source: Source, ...values: readonly string[]): Condition => ({ source, except: values });
export const lacks = (source: Source): Condition => ({ source, absent: true });
