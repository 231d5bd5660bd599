/**
 * A `.pipe` file: its directives made into a Pipe. Node directives belong to the NODE above them; those above the first node
 * belong to the last one, as some tools write the type first.
 */

import type { GrantedToken, Pipe, PipeNode, PipeType } from '@glasshouse/model';
import { EXPORT_SETTINGS, isConnector } from './directives.ts';
import type { Directive } from './layout.ts';
import { nearest } from './nearest.ts';
import type { Place, Report } from './notice.ts';
import { addToken, isObsolete, listOf, nameFault, once, refuseConnectors, valueOf } from './shared.ts';
import { proseOf, sqlOf } from './text.ts';

const TYPES: ReadonlyMap<string, PipeType> = new Map<string, PipeType>([
  ['endpoint', 'endpoint'],
  ['materialized', 'materialized'],
  ['copy', 'copy'],
  ['sink', 'sink'],
  ['default', 'default'],
  ['standard', 'default'],
]);

/** What a node of each type may say, and what it has to. */
const SETTINGS: Readonly<
  Record<PipeType, { readonly allowed: readonly string[]; readonly required: readonly string[] }>
> = {
  default: { allowed: [], required: [] },
  endpoint: { allowed: [], required: [] },
  materialized: { allowed: ['DATASOURCE', 'DEPLOYMENT_METHOD'], required: ['DATASOURCE'] },
  copy: { allowed: ['TARGET_DATASOURCE', 'COPY_SCHEDULE', 'COPY_MODE'], required: ['TARGET_DATASOURCE'] },
  sink: { allowed: EXPORT_SETTINGS, required: [] },
};

interface Setting {
  readonly value: string;
  readonly place: Place;
}

interface NodeDraft {
  readonly name: string;
  readonly place: Place;
  description?: string;
  sql?: string;
  type?: { readonly value: PipeType; readonly place: Place };
  readonly settings: Map<string, Setting>;
}

interface Draft {
  description?: string;
  readonly nodes: NodeDraft[];
  readonly names: Set<string>;
  readonly tokens: Map<string, GrantedToken>;
  readonly tags: Set<string>;
  cacheSeconds?: number;
  /** Type and settings that stand above the first node. */
  readonly above: NodeDraft;
}

/** Makes the pipe; problems go to the report. */
export function readPipe(name: string, start: Place, directives: readonly Directive[], report: Report): Pipe {
  const above: NodeDraft = { name: '', place: start, settings: new Map() };
  const draft: Draft = { nodes: [], names: new Set(), tokens: new Map(), tags: new Set(), above };
  const seen = new Map<string, Place>();
  refuseConnectors(
    directives.filter(({ key }) => isConnector(key)),
    report,
  );
  for (const directive of directives) {
    if (!isConnector(directive.key) && !isObsolete(directive, report))
      readDirective(directive, name, draft, seen, report);
  }
  const last = draft.nodes.at(-1);
  if (last === undefined) {
    report.problem(start, `cannot make pipe=${name}: it has no node`, 'write NODE name and SQL > with a SELECT');
  } else {
    if (above.type !== undefined) last.type ??= above.type;
    for (const [key, setting] of above.settings) if (!last.settings.has(key)) last.settings.set(key, setting);
  }
  keepLastEndpoint(draft.nodes, report);
  const { nodes, names: _names, above: _above, tokens, tags, ...rest } = draft;
  return {
    kind: 'pipe',
    name,
    ...rest,
    nodes: nodes.map((node) => finishNode(node, report)),
    tokens: [...tokens.values()],
    tags: [...tags],
  };
}

function readDirective(
  directive: Directive,
  pipe: string,
  draft: Draft,
  seen: Map<string, Place>,
  report: Report,
): void {
  const { key, place, source } = directive;
  const lines = directive.block ?? [{ text: source.text, file: place.file, line: place.line }];
  const node = draft.nodes.at(-1);
  const scope = node === undefined ? '' : `${draft.nodes.length} `;
  switch (key) {
    case 'TOKEN':
      addToken(directive, ['READ'], draft.tokens, report);
      return;
    case 'TAGS':
      for (const tag of listOf(directive)) draft.tags.add(tag);
      return;
    case 'DESCRIPTION': {
      const text = proseOf(lines);
      if (once(directive, seen, report, scope) && text !== '') (node ?? draft).description = text;
      return;
    }
    case 'NODE':
      addNode(directive, pipe, draft, report);
      return;
    case 'SQL':
      if (node === undefined) {
        report.problem(place, 'cannot read SQL: no node stands above it', 'write NODE name first');
      } else if (once(directive, seen, report, scope)) readSql(directive, sqlOf(lines), node, report);
      return;
    case 'TYPE':
      readType(directive, node ?? draft.above, report);
      return;
    case 'CACHE':
      if (once(directive, seen, report)) readCache(directive, draft, report);
      return;
    default:
      if (key.startsWith('ENGINE')) {
        if (!seen.has('ENGINE')) {
          report.warn(
            place,
            `${key} is not looked at in a pipe.`,
            'the data source that the node fills has its own file, with its engine',
          );
        }
        seen.set('ENGINE', place);
      } else readSetting(directive, node ?? draft.above, report);
  }
}

function addNode(directive: Directive, pipe: string, draft: Draft, report: Report): void {
  const name = valueOf(directive);
  const fault = nameFault(name) ?? (draft.names.has(name) ? 'there is a node of that name already' : undefined);
  if (fault !== undefined) report.problem(directive.place, `cannot add node=${name}: ${fault}`, 'give it another name');
  if (name === pipe) {
    report.warn(
      directive.place,
      `The node ${name} has the name of its pipe.`,
      'give it another name, so that one can tell which is meant',
    );
  }
  draft.names.add(name);
  draft.nodes.push({ name, place: directive.place, settings: new Map() });
}

function readSql({ place }: Directive, sql: string, node: NodeDraft, report: Report): void {
  if (sql === '' || sql === '%') {
    report.problem(place, `cannot read node=${node.name}: its SQL is empty`, 'write a SELECT below SQL >, indented');
    node.sql = 'SELECT 1';
    return;
  }
  node.sql = sql;
  if (!sql.startsWith('%') && (isBetween(sql, '{{', '}}') || isBetween(sql, '{%', '%}'))) {
    report.warn(
      place,
      `The node ${node.name} has {{…}} or {%…%}, but is no template.`,
      'write a line % before the SELECT',
    );
  }
}

function isBetween(text: string, open: string, close: string): boolean {
  const at = text.indexOf(open);
  return at !== -1 && text.includes(close, at);
}

function readType(directive: Directive, node: NodeDraft, report: Report): void {
  const word = valueOf(directive);
  const value = TYPES.get(word.toLowerCase());
  if (value === undefined) {
    const meant = nearest(word, TYPES.keys(), 3);
    report.problem(
      directive.place,
      `cannot read TYPE=${word}: there is no such type of node`,
      meant === undefined ? 'write endpoint, materialized, copy or sink' : `did you mean ${meant}?`,
    );
    return;
  }
  if (node.type !== undefined && node.type.value !== value) {
    report.warn(
      directive.place,
      `The node ${node.name} has another TYPE in line ${node.type.place.line}; the last one counts.`,
      'keep one of them',
    );
  }
  node.type = { value, place: directive.place };
}

function readCache(directive: Directive, draft: Draft, report: Report): void {
  const value = valueOf(directive);
  const seconds = /^\d{1,9}$/u.test(value) ? Number(value) : undefined;
  if (seconds === undefined) {
    report.problem(
      directive.place,
      `cannot read CACHE=${value}: it is no number of seconds`,
      'write a whole number, such as CACHE 60',
    );
  } else draft.cacheSeconds = seconds;
}

function readSetting(directive: Directive, node: NodeDraft, report: Report): void {
  const key = directive.key === 'MODE' ? 'COPY_MODE' : directive.key;
  const before = node.settings.get(key);
  if (before !== undefined) {
    report.problem(directive.place, `cannot read ${key}: line ${before.place.line} has it already`, 'keep one of them');
    return;
  }
  const written = valueOf(directive);
  const lower = key === 'COPY_MODE' || key === 'DEPLOYMENT_METHOD';
  const value = lower ? written.toLowerCase() : written;
  const fault = settingFault(key, value);
  // Also a faulty one is there, so that it is not called missing besides.
  node.settings.set(key, { value, place: directive.place });
  if (fault !== undefined) report.problem(directive.place, `cannot read ${key}=${written}: ${fault[0]}`, fault[1]);
}

const CRON_FIELD = /^(?:\*|[\w*]+(?:-\w+)?)(?:\/\d+)?(?:,(?:\*|\w+(?:-\w+)?)(?:\/\d+)?)*$/u;

/** Why a setting cannot have this value, and what to write; undefined when it can. */
function settingFault(key: string, value: string): readonly [string, string] | undefined {
  if (value === '') return ['it is empty', `write a value behind ${key}, or take the line away`];
  if (/\p{Cc}/u.test(value)) return ['it has control characters', 'write it on one line'];
  if (value.includes('"') && value.includes("'")) return ['it has quotes of both kinds', 'use one kind'];
  if (key === 'DATASOURCE' || key === 'TARGET_DATASOURCE') {
    const fault = nameFault(value);
    return fault === undefined ? undefined : [fault, 'write the name of a data source'];
  }
  if (key === 'COPY_MODE' && value !== 'append' && value !== 'replace') {
    return ['there is no such mode', 'write append or replace'];
  }
  if (key === 'DEPLOYMENT_METHOD' && value !== 'alter')
    return ['there is no such method', 'write alter, or take the line away'];
  if (key === 'COPY_SCHEDULE' || key === 'EXPORT_SCHEDULE') {
    const fields = value.split(' ');
    const isCron = fields.length === 5 && fields.every((field) => CRON_FIELD.test(field));
    if (!isCron && !/^@(?:on-demand|once|hourly|daily|weekly|monthly|yearly|annually|midnight)$/u.test(value)) {
      return ['it is no schedule', 'write @on-demand, or five fields such as 0 * * * *'];
    }
  }
  return undefined;
}

/** A pipe answers with one node. */
function keepLastEndpoint(nodes: readonly NodeDraft[], report: Report): void {
  const endpoints = nodes.filter((node) => node.type?.value === 'endpoint');
  for (const node of endpoints.slice(0, -1)) {
    if (node.type === undefined) continue;
    report.warn(
      node.type.place,
      `The node ${node.name} is not the last endpoint of the pipe, so it is a plain node.`,
      'a pipe has one endpoint; make another pipe for this one',
    );
    node.type = { value: 'default', place: node.type.place };
  }
}

function finishNode(node: NodeDraft, report: Report): PipeNode {
  const type = node.type?.value ?? 'default';
  const { allowed, required } = SETTINGS[type];
  for (const [key, { place }] of node.settings) {
    if (allowed.includes(key)) continue;
    const fitting = (Object.keys(SETTINGS) as PipeType[]).find((candidate) =>
      SETTINGS[candidate].allowed.includes(key),
    );
    report.problem(
      place,
      `cannot use ${key}: node=${node.name} is of type ${type}`,
      `write TYPE ${fitting ?? 'endpoint'}, or take the line away`,
    );
  }
  for (const key of required) {
    if (node.settings.has(key)) continue;
    report.problem(
      node.type?.place ?? node.place,
      `cannot use TYPE=${type}: ${key} is missing`,
      `write ${key} name_of_a_data_source`,
    );
  }
  if (node.sql === undefined) {
    report.problem(
      node.place,
      `cannot read node=${node.name}: its SQL is missing`,
      'write SQL > and a SELECT below it, indented',
    );
  }
  return {
    name: node.name,
    ...(node.description === undefined ? {} : { description: node.description }),
    sql: node.sql ?? '',
    type,
    settings: Object.fromEntries([...node.settings].map(([key, { value }]) => [key, value])),
  };
}
