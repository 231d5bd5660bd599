/**
 * Data sources whose rows report calls of models, by the names that their senders use. Their lines become generations besides; a
 * line that reports no call doesn't.
 */

const REPORTS: ReadonlySet<string> = new Set([
  'canonical_events',
  'image_events',
  'litellm',
  'llm_events',
  'text_events',
  'traces',
]);

export function reportsCalls({ name }: { readonly name: string }): boolean {
  return REPORTS.has(name);
}
