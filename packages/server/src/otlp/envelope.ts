/**
 * The envelope that all OTLP requests share: resources that hold scopes that hold items
 * (opentelemetry/proto/{trace,logs,metrics}/v1, ExportXServiceRequest → ResourceX → ScopeX → X; the field numbers are the
 * same in all three). Walks it once, and fills the columns that all items of a scope have in common.
 *
 * Protobuf allows fields in any order, so resource and scope are looked for before their items are read.
 */

import type { Placement } from '@glasshouse/model';
import type { Block, Source } from '@glasshouse/native';
import { SOURCE_SLACK, ConstantColumn, encodeText, FixedColumn, LowCardinalityColumn, sameBytes, sourceOf } from '@glasshouse/native';
import { SharedAttributes } from './attributes.ts';
import type { Wire } from './wire.ts';
import { malformed } from './wire.ts';

const FIRST = 0x0a;
const SECOND = 0x12;
const THIRD = 0x1a;

/** A range of the body; `start === end` if the field is absent. */
export interface Range {
  start: number;
  end: number;
}

/** What the items of one scope have in common. */
export interface Envelope {
  placement: Placement;
  readonly resource: Range;
  readonly resourceUrl: Range;
  readonly scope: Range;
  readonly scopeUrl: Range;
}

/** What a signal's decoder does with the envelope's contents. */
export interface ItemReader {
  /** Reads the item (span, log record, metric) in `[pos, end)`. */
  item(wire: Wire, pos: number, end: number): void;
  /** Called after the items of a scope, to fill the common columns of the rows that were added. */
  endScope(wire: Wire, envelope: Envelope): void;
}

export class EnvelopeWalker {
  private readonly envelope: Envelope = {
    placement: { tenant: '', project: '', environment: '' },
    resource: { start: 0, end: 0 },
    resourceUrl: { start: 0, end: 0 },
    scope: { start: 0, end: 0 },
    scopeUrl: { start: 0, end: 0 },
  };

  /** Walks the export request in `[0, end)`. */
  walk(wire: Wire, end: number, placement: Placement, reader: ItemReader): void {
    this.envelope.placement = placement;
    eachField(wire, 0, end, (tag, pos, fieldEnd) => {
      if (tag === FIRST) this.resource(wire, pos, fieldEnd, reader);
    });
  }

  private resource(wire: Wire, pos: number, end: number, reader: ItemReader): void {
    const { envelope } = this;
    findFields(wire, pos, end, envelope.resource, envelope.resourceUrl);
    eachField(wire, pos, end, (tag, start, fieldEnd) => {
      if (tag === SECOND) this.scope(wire, start, fieldEnd, reader);
    });
  }

  private scope(wire: Wire, pos: number, end: number, reader: ItemReader): void {
    const { envelope } = this;
    findFields(wire, pos, end, envelope.scope, envelope.scopeUrl);
    eachField(wire, pos, end, (tag, start, fieldEnd) => {
      if (tag === SECOND) reader.item(wire, start, fieldEnd);
    });
    reader.endScope(wire, envelope);
  }
}

/** Calls `visit` for each length-delimited field of the message in `[pos, end)` and skips the others. */
export function eachField(
  wire: Wire,
  pos: number,
  end: number,
  visit: (tag: number, start: number, end: number) => void,
): void {
  while (pos < end) {
    const tag = wire.varint(pos);
    if ((tag & 7) === 2) {
      const fieldEnd = wire.enter(wire.pos, end);
      visit(tag, wire.pos, fieldEnd);
      pos = fieldEnd;
    } else pos = wire.skip(tag, wire.pos, end);
  }
  if (pos !== end) throw malformed('a message is cut off');
}

/** Finds field 1 (resource or scope) and field 3 (its schema URL). */
function findFields(wire: Wire, pos: number, end: number, first: Range, url: Range): void {
  first.start = first.end = url.start = url.end = pos;
  eachField(wire, pos, end, (tag, start, fieldEnd) => {
    const range = tag === FIRST ? first : tag === THIRD ? url : undefined;
    if (range !== undefined) {
      range.start = start;
      range.end = fieldEnd;
    }
  });
}

const SERVICE_NAME = sourceOf(encodeText('service.name'));
const SERVICE_NAMESPACE = sourceOf(encodeText('service.namespace'));
const PROJECT_NAME = sourceOf(encodeText('project.name'));

/** The columns of one block that come from the envelope. */
export class EnvelopeColumns {
  private readonly block: Block;
  private readonly segment: ConstantColumn;
  private readonly labels = new Map<string, LowCardinalityColumn>();
  /** The last placement, encoded: requests of one sender follow each other. */
  private readonly encoded = new Map<string, { text: string; source: Source }>();
  private readonly resourceDropped: FixedColumn;
  private readonly scopeDropped: FixedColumn;
  private readonly resource: SharedAttributes;
  private readonly scope: SharedAttributes;

  constructor(block: Block) {
    this.block = block;
    this.segment = block.column('_segment', ConstantColumn);
    this.resourceDropped = block.column('resource_dropped_attributes_count', FixedColumn);
    this.scopeDropped = block.column('scope_dropped_attributes_count', FixedColumn);
    this.resource = new SharedAttributes(block, 'resource');
    this.scope = new SharedAttributes(block, 'scope');
  }

  private label(name: string): LowCardinalityColumn {
    let column = this.labels.get(name);
    if (column === undefined) {
      column = this.block.column(name, LowCardinalityColumn);
      this.labels.set(name, column);
    }
    return column;
  }

  /** Fills the rows of the block that have no envelope yet. */
  fill(wire: Wire, envelope: Envelope): void {
    const rows = this.block.rows - this.segment.count;
    if (rows === 0) return;
    this.segment.repeat(rows);
    const { tenant, project, environment } = envelope.placement;
    this.repeatText('tenant_id', tenant, rows);
    this.repeatText('project_id', project, rows);
    this.repeatText('environment', environment, rows);
    this.fillResource(wire, envelope, rows);
    this.fillScope(wire, envelope, rows);
  }

  private fillResource(wire: Wire, envelope: Envelope, rows: number): void {
    const service: Range = { start: 0, end: 0 };
    const namespace: Range = { start: 0, end: 0 };
    const project: Range = { start: 0, end: 0 };
    this.resource.clear();
    const dropped = readAttributes(wire, envelope.resource, FIRST, 2, (pos, end) =>
      this.resource.append(wire, pos, end, (keyStart, keyEnd, start, valueEnd) => {
        const keyLength = keyEnd - keyStart;
        const isKey = (key: typeof SERVICE_NAME): boolean =>
          keyLength === key.bytes.length - SOURCE_SLACK && sameBytes(key.view, 0, wire.view, keyStart, keyLength);
        const range = isKey(SERVICE_NAME)
          ? service
          : isKey(PROJECT_NAME)
            ? project
            : isKey(SERVICE_NAMESPACE)
              ? namespace
              : undefined;
        if (range !== undefined) {
          range.start = start;
          range.end = valueEnd;
        }
      }),
    );
    this.resource.repeat(rows);
    this.resourceDropped.repeatUint32(dropped, rows);
    this.repeatRange('service_name', wire, service, rows);
    const named = [project, namespace, service].find((range) => range.end > range.start) ?? service;
    this.repeatRange('project_name', wire, named, rows);
    this.repeatRange('resource_schema_url', wire, envelope.resourceUrl, rows);
  }

  private fillScope(wire: Wire, envelope: Envelope, rows: number): void {
    const name: Range = { start: 0, end: 0 };
    const version: Range = { start: 0, end: 0 };
    this.scope.clear();
    eachField(wire, envelope.scope.start, envelope.scope.end, (tag, start, end) => {
      const range = tag === FIRST ? name : tag === SECOND ? version : undefined;
      if (range !== undefined) {
        range.start = start;
        range.end = end;
      }
    });
    const dropped = readAttributes(wire, envelope.scope, THIRD, 4, (pos, end) => this.scope.append(wire, pos, end));
    this.scope.repeat(rows);
    this.scopeDropped.repeatUint32(dropped, rows);
    this.repeatRange('scope_name', wire, name, rows);
    this.repeatRange('scope_version', wire, version, rows);
    this.repeatRange('scope_schema_url', wire, envelope.scopeUrl, rows);
  }

  private repeatText(name: string, text: string, rows: number): void {
    const column = this.label(name);
    if (this.encoded.get(name)?.text !== text) this.encoded.set(name, { text, source: sourceOf(encodeText(text)) });
    const { source } = this.encoded.get(name) as { source: Source };
    column.repeat(column.localOf(source, 0, source.bytes.length - SOURCE_SLACK), rows);
  }

  private repeatRange(name: string, wire: Wire, range: Range, rows: number): void {
    const column = this.label(name);
    column.repeat(column.localOf(wire, range.start, range.end), rows);
  }
}

/**
 * Calls `visit` for each field of `message` whose tag is `attributesTag`, and returns the value of the varint field
 * number `droppedField` (dropped_attributes_count).
 */
export function readAttributes(
  wire: Wire,
  message: Range,
  attributesTag: number,
  droppedField: number,
  visit: (pos: number, end: number) => void,
): number {
  let dropped = 0;
  let pos = message.start;
  while (pos < message.end) {
    const tag = wire.varint(pos);
    pos = wire.pos;
    if (tag === attributesTag) {
      const end = wire.enter(pos, message.end);
      visit(wire.pos, end);
      pos = end;
    } else if (tag === droppedField << 3) {
      dropped = wire.varint(pos);
      pos = wire.pos;
    } else pos = wire.skip(tag, pos, message.end);
  }
  if (pos !== message.end) throw malformed('a resource or scope is cut off');
  return dropped;
}
