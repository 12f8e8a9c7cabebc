/** What stands on letters, once they are decomposed. */
export const MARKS = '[\\u0300-\\u036f]+'

/** Everything between words: of ASCII, Latin-1, and the blocks of punctuation and symbols. */
const BETWEEN =
  '[\\u0001-\\u002f\\u003a-\\u0040\\u005b-\\u0060\\u007b-\\u00bf\\u00d7\\u00f7\\u02b0-\\u02ff\\u2000-\\u2bff\\u2e00-\\u2e7f\\u3000-\\u3004\\u3008-\\u3020\\ufe00-\\ufe6f\\ufeff]+'

const [marks, between] = [new RegExp(MARKS, 'g'), new RegExp(BETWEEN, 'g')]

/**
 * A name as accounts and contacts are found by it: without case, accents and punctuation, so that “ACME, Inc.” is “Acme Inc”
 * and “Café  Núñez” is “Cafe Nunez”. A name of nothing but signs is itself. Never blank for a name that is not.
 */
export const recordNameKey = (name: string): string => {
  const key = name.normalize('NFKD').replaceAll(marks, '').replaceAll(between, ' ').trim().toLowerCase()
  return Array.from((key === '' ? name.toLowerCase() : key).replaceAll('ς', 'σ'))
    .slice(0, LENGTH)
    .join('')
}

/** An index takes no longer ones: one ligature can be eighteen letters. */
const LENGTH = 200

/** The same of the column `name`, in SQL: the expression of the columns `name_key`. */
export const NAME_KEY = `left(replace(coalesce(nullif(lower(btrim(regexp_replace(regexp_replace(normalize(name, NFKD), '${MARKS}', '', 'g'), '${BETWEEN}', ' ', 'g'))), ''), lower(name)), 'ς', 'σ'), ${LENGTH})`

/** Of several that a name may mean, those that are written exactly so; where none is, all of them. */
export const bestNamed = <T extends { name: string }>(name: string, there: readonly T[]): readonly T[] => {
  const exact = there.filter((one) => one.name === name)
  return exact.length > 0 ? exact : there
}
