/**
 * The functions of templates (docs: template-functions, query-parameters) by name, and the check of a call before anything is rendered.
 *
 * Must stay true: a name that is not in the table is refused; the table is a Map, so that no name finds a property of an object.
 */

import type { Call } from './ast.ts';
import { excerpt } from './error.ts';
import { DATE_FUNCTIONS } from './date-functions.ts';
import { GENERAL_FUNCTIONS } from './general-functions.ts';
import { SQL_FUNCTIONS } from './sql-functions.ts';
import { typeNamed } from './types.ts';
import type { TemplateFunction } from './call.ts';
import { ARRAY, typeFunction } from './type-functions.ts';

const FUNCTIONS: ReadonlyMap<string, TemplateFunction> = new Map([
  ...GENERAL_FUNCTIONS,
  ...SQL_FUNCTIONS,
  ...DATE_FUNCTIONS,
]);

/** The function of a name; those of types are found in any case, `Array(…)` and `string(…)` alike. */
export function functionNamed(name: string): TemplateFunction | undefined {
  const found = FUNCTIONS.get(name);
  if (found !== undefined) return found;
  if (name.toLowerCase() === 'array') return ARRAY;
  const type = typeNamed(name);
  return type === undefined ? undefined : typeFunction(type);
}

/** Why a call cannot work whatever the values are, or undefined. */
export function checkCall(call: Call): string | undefined {
  const found = functionNamed(call.name);
  if (found === undefined) {
    return `there is no function ${excerpt(call.name)}; there are the types (String, Int32, DateTime, Array …) and ${[...FUNCTIONS.keys()].join(', ')}`;
  }
  if (found.literalName === true && call.positional[0]?.kind !== 'string')
    return `${call.name}() takes a name in quotes`;
  const named = call.keywords.map((keyword) => keyword.name);
  if (found.anyKeywords !== true) {
    const known = [...found.parameters, ...(found.keywords ?? [])];
    const unknown = named.find((name) => !known.includes(name));
    if (unknown !== undefined)
      return `${call.name}() has no argument ${excerpt(unknown)}; there are ${known.join(', ')}`;
    const twice = named.find(
      (name) => found.parameters.indexOf(name) !== -1 && found.parameters.indexOf(name) < call.positional.length,
    );
    if (twice !== undefined) return `argument ${twice} of ${call.name}() is given twice`;
  }
  if (call.positional.length > found.parameters.length && found.anyPositional !== true) {
    return `${call.name}() takes at most ${found.parameters.length} arguments without a name, not ${call.positional.length}`;
  }
  const missing = found.parameters
    .slice(0, found.least)
    .find((name, index) => index >= call.positional.length && !named.includes(name));
  return missing === undefined ? undefined : `${call.name}() needs its argument ${missing}`;
}
