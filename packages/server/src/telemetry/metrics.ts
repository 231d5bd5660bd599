/**
 * The server's own numbers in Prometheus text format (prometheus.io/docs/instrumenting/exposition_formats). Rooms keep
 * plain counters; this only reads and prints them when asked.
 */

export interface Sample {
  readonly labels?: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface Metric {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge';
  readonly read: () => number | readonly Sample[];
}

/** All metrics as text. */
export function renderMetrics(metrics: readonly Metric[]): string {
  const lines: string[] = [];
  for (const { name, help, type, read } of metrics) {
    lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`);
    const value = read();
    const samples = typeof value === 'number' ? [{ value }] : value;
    for (const sample of samples) lines.push(`${name}${labelText(sample)} ${sample.value}`);
  }
  return `${lines.join('\n')}\n`;
}

function labelText({ labels }: Sample): string {
  if (labels === undefined) return '';
  const pairs = Object.entries(labels).map(
    ([name, value]) => `${name}="${value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')}"`,
  );
  return `{${pairs.join(',')}}`;
}
