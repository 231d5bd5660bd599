/**
 * Who asks `/v0/sql` of a workspace: tokens and JWTs with what their scopes let them read, this server's own keys with all of
 * it. Pipes, and with `pipeline` the nodes of one, can be named like tables.
 */

import { AppError } from '@glasshouse/model';
import type { Endpoints } from '../../platform/endpoints.ts';
import { queryPrincipal } from '../../platform/endpoints-reads.ts';
import type { WhoAsks } from '../sql.ts';
import type { CallParts } from './call.ts';
import { admitted } from './call.ts';
import { callOf } from './endpoint-call.ts';

export function workspaceCallers(platform: CallParts, endpoints: Pick<Endpoints, 'compose'>): WhoAsks {
  return async (exchange, fields, given) => {
    const principal = await admitted(platform, { ...exchange, query: fields });
    // A key that only sends is told so; a token without a scope for a table is told which.
    if ((principal.kind === 'key' || principal.kind === 'open') && !principal.may('WORKSPACE:READ_ALL'))
      throw new AppError('forbidden', `cannot let ${principal.name} do this: it has no scope query`);
    const caller = queryPrincipal(principal);
    if (given.trim() === '') return { principal: caller, sql: '', options: {} };
    const pipeline = fields.get('pipeline') || undefined;
    const composed = endpoints.compose(principal, given, { pipeline, call: callOf(fields, '', '') });
    return { principal: caller, sql: composed.sql, options: { ...composed.options, settings: composed.settings } };
  };
}
