/** Reading the server's own numbers from /metrics (Prometheus text format), for status and doctor. */

import type { Client } from './client.ts';

export class Metrics {
  private readonly totals = new Map<string, number>();

  /** Samples of one name are added up: what differs in labels is a part of the same thing. */
  constructor(text: string) {
    for (const line of text.split('\n')) {
      const match = /^([a-z_:][\w:]*)(?:\{.*\})? (\S+)/i.exec(line);
      if (match === null) continue;
      const [, name = '', value] = match;
      this.totals.set(name, (this.totals.get(name) ?? 0) + Number(value));
    }
  }

  static async read(client: Client): Promise<Metrics> {
    return new Metrics(await client.text('/metrics'));
  }

  /** The number without its `glasshouse_` in front; 0 if the server doesn't have it. */
  value(name: string): number {
    return this.totals.get(`glasshouse_${name}`) ?? 0;
  }
}
