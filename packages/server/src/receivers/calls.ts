/**
 * Events that are calls of models and nothing else, `POST /v0/events?name=generations`: each becomes a row of the facts, and no data
 * source has a copy of it.
 *
 * Must stay true: a row is of the sender's workspace, and of the project and environment of its key, whatever the event says. What is no
 * call is counted in the answer, with why. A token that may write only some rows may write none: no filter is told here.
 */

import type { ContentCoding } from '@glasshouse/model';
import { AppError } from '@glasshouse/model';
import type { Exchange } from '../http/router.ts';
import type { WorkspacePrincipal } from '../platform/principal.ts';
import { CALLS } from '../platform/reports.ts';
import { receiveBody } from './body.ts';
import type { TakingOptions } from './taking.ts';
import { admit, answerTaken, BATCH_HEADER } from './taking.ts';

export interface CallsOptions extends TakingOptions {
  readonly principal: WorkspacePrincipal;
  readonly coding: ContentCoding;
}

/** Takes a request. Rejects with `forbidden`, and as every receiver does. */
export async function receiveCalls(exchange: Exchange, options: CallsOptions): Promise<void> {
  const { principal, coding, sink, platform, quotas, switches } = options;
  const { tenant, placement } = principal;
  const project = placement?.project ?? '';
  checkMay(principal);
  if (exchange.request.headers[BATCH_HEADER.toLowerCase()] !== undefined)
    throw new AppError(
      'bad_request',
      `cannot take a batch by name into ${CALLS}: leave ${BATCH_HEADER} out; a call that is sent again is known by its ids`,
    );
  const admitted = admit(exchange, options, { principal, source: CALLS, project });
  if (admitted === undefined) return;
  const { limited, share } = admitted;
  const body = await receiveBody(exchange.request, sink, options.maxBodyBytes);
  const { length } = body;
  platform.rates.charge(limited, length);
  const result = await sink.accept({ signal: 'calls', tenant, placement, share, coding, body });
  if (result.rejected > 0) switches.leave(tenant, CALLS, { requests: 0, events: result.rejected });
  quotas.count({ tenant, project }, result.accepted, length);
  await answerTaken(exchange, options, result, CALLS);
}

function checkMay(principal: WorkspacePrincipal): void {
  const calls = { name: CALLS };
  if (!principal.may('DATASOURCES:APPEND', calls))
    throw new AppError('forbidden', `cannot append to ${CALLS}: the token has no scope DATASOURCES:APPEND for it`);
  if (principal.writeFilter(calls) === undefined) return;
  throw new AppError(
    'forbidden',
    `cannot append to ${CALLS}: the token may write only rows that meet a condition, which is not told of calls; use a token without one`,
  );
}
