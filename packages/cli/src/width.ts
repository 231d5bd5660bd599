/**
 * How wide text is on a terminal, and how to make it harmless there. Separate from the table because everything that prints
 * telemetry needs it: names and bodies come from strangers and may hold escape sequences.
 *
 * Must stay true: what `printable` returns moves no cursor and changes no colour.
 */

/** Characters that take two cells: East Asian wide and full-width (Unicode UAX #11), first and last code points. */
const WIDE: readonly (readonly [number, number])[] = [
  [0x1100, 0x115f],
  [0x2e80, 0x303e],
  [0x3041, 0x33ff],
  [0x3400, 0x4dbf],
  [0x4e00, 0x9fff],
  [0xa000, 0xa4cf],
  [0xa960, 0xa97f],
  [0xac00, 0xd7a3],
  [0xf900, 0xfaff],
  [0xfe30, 0xfe6f],
  [0xff00, 0xff60],
  [0xffe0, 0xffe6],
  [0x1b000, 0x1b2ff],
  [0x20000, 0x3fffd],
];

const PLAIN = /^[\u0020-\u007e]*$/;
const EMOJI = /^(?:\p{Emoji_Presentation}|\p{Regional_Indicator}|\p{Extended_Pictographic}\ufe0f)/u;
const MARKS_ONLY = /^[\p{Mark}\p{Default_Ignorable_Code_Point}]+$/u;

/** Control characters (C0, C1), line separators, and the marks that reorder text. */
// oxlint-disable-next-line no-control-regex -- they are what it looks for
const UNSAFE = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g;

const ESCAPES: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/** The text on one line, with visible escapes in place of what a terminal would act on. */
export function printable(text: string): string {
  return PLAIN.test(text) ? text : text.replace(UNSAFE, (char) => ESCAPES[char] ?? escaped(char));
}

function escaped(char: string): string {
  const code = char.charCodeAt(0).toString(16);
  return code.length <= 2 ? `\\x${code.padStart(2, '0')}` : `\\u${code.padStart(4, '0')}`;
}

/** Cells that the text takes. The text must be printable. */
export function textWidth(text: string): number {
  if (PLAIN.test(text)) return text.length;
  let width = 0;
  for (const { segment } of new Intl.Segmenter().segment(text)) width += graphemeWidth(segment);
  return width;
}

/** The beginning of the text that fits into `width` cells; an ellipsis shows that something is missing. */
export function fit(text: string, width: number): string {
  if (text.length <= width && PLAIN.test(text)) return text;
  let used = 0;
  let kept = '';
  let cut = '';
  for (const { segment } of new Intl.Segmenter().segment(text)) {
    used += graphemeWidth(segment);
    if (used > width) return `${cut}…`;
    kept += segment;
    if (used <= width - 1) cut = kept;
  }
  return text;
}

/** The text with spaces to `width` cells. */
export function pad(text: string, width: number, align: 'left' | 'right' = 'left'): string {
  const spaces = ' '.repeat(Math.max(0, width - textWidth(text)));
  return align === 'left' ? text + spaces : spaces + text;
}

function graphemeWidth(segment: string): number {
  if (EMOJI.test(segment)) return 2;
  if (MARKS_ONLY.test(segment)) return 0;
  const code = segment.codePointAt(0) ?? 0;
  return WIDE.some(([first, last]) => code >= first && code <= last) ? 2 : 1;
}
