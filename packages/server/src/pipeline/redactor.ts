/**
 * Redaction in the ingest worker: which policy a request has, and its body before anything of it is decoded. The one place that
 * every body passes between its decompression and the log.
 *
 * Must stay true: where a policy holds, what could not be read is refused and not stored, and no error says what was in it.
 */

import type { Placement, Signal } from '@glasshouse/model';
import { AppError, toAppError } from '@glasshouse/model';
import type { PolicySet } from '@glasshouse/redaction';
import { isOff, redactEvents, redactOtlp, Rules } from '@glasshouse/redaction';

/** What is done to the body of one request. */
export class BodyRules {
  private readonly rules: Rules;

  constructor(rules: Rules) {
    this.rules = rules;
  }

  /** The bytes of an export request without what may not be stored. Throws `bad_request` for bytes that are none. */
  otlp(signal: Signal, bytes: Uint8Array): Uint8Array {
    const redacted = redactOtlp(signal, bytes, this.rules);
    if (redacted !== undefined) return redacted;
    throw new AppError(
      'bad_request',
      'cannot decode the request: not a valid OTLP protobuf message; it is not stored, because it could not be redacted',
    );
  }

  /** The bytes of events without what may not be stored. */
  events(bytes: Uint8Array): Uint8Array {
    return redactEvents(bytes, this.rules);
  }

  /** Runs what reads the original: its errors may quote it. */
  guarded<T>(read: () => T): T {
    try {
      return read();
    } catch (error) {
      const { code } = toAppError(error);
      throw new AppError(
        code,
        'cannot read the request body: it is not what its headers say, or too large; the details are kept back, because a redaction policy holds for it',
      );
    }
  }
}

export class Redactor {
  private byPlace = new Map<string, BodyRules | undefined>();
  /** Tenants with a policy for some project or environment. */
  private parted = new Set<string>();

  /** Takes the policies of all places anew. */
  take({ policies, hashKey }: PolicySet): void {
    this.byPlace = new Map();
    this.parted = new Set();
    for (const { policy, ...place } of policies) {
      if (place.project !== '' || place.environment !== '') this.parted.add(place.tenant);
      // One that is off counts too: it is an exception from a wider one.
      this.byPlace.set(keyOf(place), isOff(policy) ? undefined : new BodyRules(new Rules(policy, hashKey)));
    }
  }

  /** Whether what is redacted differs between the projects or environments of a tenant. */
  differs(tenant: string): boolean {
    return this.parted.has(tenant);
  }

  /** The rules of a place; undefined if nothing is changed there. Events have a tenant only. */
  rulesFor({
    tenant,
    project = '',
    environment = '',
  }: Partial<Placement> & Pick<Placement, 'tenant'>): BodyRules | undefined {
    if (this.byPlace.size === 0) return undefined;
    for (const place of [
      { tenant, project, environment },
      { tenant, project, environment: '' },
      { tenant, project: '', environment },
      { tenant, project: '', environment: '' },
    ]) {
      const key = keyOf(place);
      if (this.byPlace.has(key)) return this.byPlace.get(key);
    }
    return undefined;
  }
}

function keyOf({ tenant, project, environment }: Placement): string {
  return JSON.stringify([tenant, project, environment]);
}
