export { collectAtRest } from './at-rest.ts';
export { AppError, ERROR_KINDS, invariant, messageOf, toAppError } from './errors.ts';
export type { AppErrorOptions, ErrorCode, ErrorKind } from './errors.ts';
export { nodeHttp } from './node-http.ts';
export { allows, DEFAULT_PLACEMENT, NAME_PATTERN, SCOPES } from './tenancy.ts';
export type { Placement, Principal, Scope } from './tenancy.ts';
export { BODY_FORMATS, CONTENT_CODINGS, SIGNALS } from './signal.ts';
export type { BodyFormat, ContentCoding, Signal } from './signal.ts';
export { QUARANTINE_SUFFIX, SEGMENT } from './resources.ts';
export type {
  ColumnKind,
  DataSource,
  DataSourceColumn,
  DataSourceEngine,
  DataSourceIndex,
  GrantedToken,
  Pipe,
  PipeNode,
  PipeType,
  Resource,
} from './resources.ts';
