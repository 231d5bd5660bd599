/**
 * Language room: pure compilation and judgement of queries, without any I/O. Here: the tenant SQL guard. The caller takes a statement
 * apart, lets the engine explain it, and hands the engine's text back in.
 */

export { identifierFault, MAX_SQL_LENGTH, tokenize } from './lexer.ts';
export type { Token, TokenKind } from './lexer.ts';
export { checkParameters, splitStatement } from './sql/statement.ts';
export type { CteName, ParameterUse, Statement } from './sql/statement.ts';
export { parseAst, walkAst } from './sql/ast.ts';
export type { AstNode } from './sql/ast.ts';
export { judge } from './sql/guard.ts';
export type { Verdict } from './sql/guard.ts';
export { isReadable, tenantPolicy, withoutHints } from './sql/policy.ts';
export type { Policy, TableName } from './sql/policy.ts';
export { confirm, resolvedTables } from './sql/query-tree.ts';
export type { ResolvedTables, ViewTargets } from './sql/query-tree.ts';
export { classify } from './sql/request.ts';
export type { SqlRequest } from './sql/request.ts';
export { allowedFunctions, isAllowedFunction, REFUSED_FUNCTIONS, TABLE_FUNCTIONS } from './sql/functions.ts';
export { judgeExpression, splitExpression } from './sql/expression.ts';
export type { Expression, ExpressionRules } from './sql/expression.ts';
export { fallibility, scalarsCanFail } from './sql/fallible.ts';
export type { Fallibility } from './sql/fallible.ts';
export { isUnfolded } from './sql/unfolded.ts';
export { EXPLAIN_SETTINGS, EXPLAIN_TREE, parseResolved } from './sql/resolved.ts';
export { judgeCodec, judgeEngineSettings, judgeIndexType } from './sql/table-parts.ts';
export { judgeType } from './sql/types.ts';
export { mapEvents, MAPPING_SETTINGS } from './mapping/events.ts';
export type { Barred, EventMapping } from './mapping/events.ts';
export { quarantineColumnsOf } from './mapping/quarantine.ts';
export type { TemplateSettings } from './template/call.ts';
export { composePipe, composeQuery, namedTables, resultNode } from './template/compose.ts';
export type { NodeRenderer } from './template/compose.ts';
export { TemplateError } from './template/error.ts';
export type { TemplateSource } from './template/error.ts';
export type { ParameterValues } from './template/evaluate.ts';
export type { TemplateParameter } from './template/parameters.ts';
export { parseTemplate, pipeParameters } from './template/parse.ts';
export type { Template } from './template/parse.ts';
export { renderTemplate } from './template/render.ts';
export type { Rendered, RenderOptions } from './template/render.ts';
export { DataFileError } from './datafile/notice.ts';
export type { Notice, Place } from './datafile/notice.ts';
export { MAX_DATA_FILE_LENGTH, parseDataFile } from './datafile/parse.ts';
export type { DataFile, DataFileOptions } from './datafile/parse.ts';
export { parseSchema } from './datafile/columns.ts';
export { parseAlter, parseCreateTable } from './datafile/table.ts';
export type { AlterStep, AlterTable, ColumnPosition } from './datafile/table.ts';
export { formatColumn, formatDataFile } from './datafile/format.ts';
export { diffResource } from './datafile/diff.ts';
export type { Change } from './datafile/change.ts';
export { parsePath } from './mapping/path.ts';
export type { JsonPath } from './mapping/path.ts';
export { guessSchema } from './mapping/guess.ts';
export type { Guess } from './mapping/guess.ts';
export { keyParts } from './mapping/expression.ts';
export { isolateFaults } from './mapping/isolate.ts';
