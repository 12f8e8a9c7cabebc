/** Letters that a decomposition leaves as they are, and how they are written without them. */
const LETTERS: Record<string, string> = {
  ß: 'ss',
  ø: 'o',
  ł: 'l',
  đ: 'd',
  ð: 'd',
  þ: 'th',
  æ: 'a',
  œ: 'o',
  ı: 'i',
}

/**
 * Text as it is compared: without case, accents and punctuation, and with `ä`, `ae` and `a` alike, because one person
 * writes Müller, Mueller and Muller. Words stand apart by one space; scripts other than Latin stay as they are.
 */
export const fold = (text: string): string =>
  text
    .normalize('NFKD')
    .replaceAll(/\p{M}/gu, '')
    .toLowerCase()
    .replaceAll(/[ßøłđðþæœı]/g, (letter) => LETTERS[letter] ?? letter)
    .replaceAll(/(?<=\p{L})[’'`´](?=\p{L})/gu, '')
    .replaceAll(/[^\p{L}\p{N}]+/gu, ' ')
    .replaceAll(/([aou])e(?![aeiou])/g, '$1')
    .trim()

/** The words of a text as they are compared. */
export const foldedWords = (text: string): string[] =>
  fold(text)
    .split(' ')
    .filter((word) => word !== '')

/** Whether a folded word is Chinese, Japanese or Korean: whole names are one word there, as often as not, and each sign is a syllable. */
export const isUnspaced = (word: string): boolean =>
  /^[\p{scx=Han}\p{scx=Hiragana}\p{scx=Katakana}\p{scx=Hangul}]+$/u.test(word)

/**
 * How many letters have to be added, taken away, replaced or swapped with their neighbour to make one text the other
 * (optimal string alignment); more than `at_most` is answered as one more than that.
 */
export const editDistance = (one: string, other: string, at_most: number): number => {
  if (one === other) return 0
  if (Math.abs(one.length - other.length) > at_most) return at_most + 1
  let before: number[] = []
  let last = Array.from({ length: other.length + 1 }, (_, n) => n)
  for (let i = 1; i <= one.length; i++) {
    const row = [i]
    let least = i
    for (let j = 1; j <= other.length; j++) {
      const same = one[i - 1] === other[j - 1]
      let edits = Math.min((last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (last[j - 1] ?? 0) + (same ? 0 : 1))
      if (i > 1 && j > 1 && one[i - 1] === other[j - 2] && one[i - 2] === other[j - 1])
        edits = Math.min(edits, (before[j - 2] ?? 0) + 1)
      row.push(edits)
      least = Math.min(least, edits)
    }
    if (least > at_most) return at_most + 1
    before = last
    last = row
  }
  return Math.min(last[other.length] ?? 0, at_most + 1)
}

/** Whether one word is the other with a typing error: one in short ones, two in those of nine letters and more; digits are meant as they stand. */
export const isMistyped = (one: string, other: string): boolean => {
  const length = Math.min(one.length, other.length)
  if (length < 4 || one.replaceAll(/\D/g, '') !== other.replaceAll(/\D/g, '')) return false
  const allowed = length >= 9 ? 2 : 1
  return editDistance(one, other, allowed) <= allowed
}
