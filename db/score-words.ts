/**
 * Text as words are compared in: without accents and case, `ß` as `ss`. `at` says of each character where in the original
 * it stands; absent where nothing moved.
 */
const fold = (text: string): { folded: string; at: number[] | undefined } => {
  // Character for character, which most texts are.
  if (PLAIN.test(text)) return { folded: text.toLowerCase(), at: undefined }
  const at: number[] = []
  let folded = ''
  let place = 0
  for (const character of text) {
    const plain = foldText(character)
    folded += plain
    for (let n = 0; n < plain.length; n++) at.push(place)
    place += character.length
  }
  return { folded, at }
}

/** Text without accents and case: two that are equal by it are the same word to a person. */
export const foldText = (text: string): string => (PLAIN.test(text) ? text.toLowerCase() : foldLetters(text))

/** Texts that differ in nothing but case, which most do. */
const PLAIN = /^[\t\n\r\u0020-\u007e]*$/

const foldLetters = (text: string): string =>
  text.normalize('NFKD').replaceAll(/\p{M}/gu, '').toLowerCase().replaceAll('ß', 'ss')

/** Of a list that somebody writes. */
export const wordLimits = { words: 200, length: 60 }

/** What words and phrases are made of; `*` at the end stands for any ending. Patterns are nobody's to write. */
const WORDS = /^(?=.*[\p{L}\p{N}])[\p{L}\p{M}\p{N} '’.,&/#@%€$£:;_+-]+\*?$/u

/** What is wrong with a word or phrase of a list, if anything. */
export const faultOfWord = (word: string): string | undefined => {
  if (word.trim().length > wordLimits.length) return `at most ${wordLimits.length} characters`
  if (WORDS.test(word.trim())) return undefined
  return 'words and phrases only, such as “price list” or “bestell*” with any ending; no patterns'
}

/**
 * Finds the first of a list of words and phrases in a text, on the boundaries of words, whatever accents and case; answers
 * it as the text has it.
 */
export const wordFinder = (words: readonly string[]): ((text: string) => string | undefined) => {
  const parts = words
    .map((word) => foldText(word.trim()))
    .toSorted((a, b) => b.length - a.length)
    .map((word) => {
      const open = word.endsWith('*')
      const literal = (open ? word.slice(0, -1) : word)
        .split(/\s+/)
        .map((part) => part.replaceAll(/[.*+?^${}()|[\]\\/]/g, String.raw`\$&`))
        .join(String.raw`\s{1,5}`)
      return open ? String.raw`${literal}[\p{L}\p{N}]{0,40}` : literal
    })
  const pattern = new RegExp(String.raw`(?<![\p{L}\p{N}])(?:${parts.join('|')})(?![\p{L}\p{N}])`, 'u')
  return (text) => {
    const { folded, at } = fold(text)
    const match = pattern.exec(folded)
    if (!match) return undefined
    const place = (n: number): number => (at ? (at[n] ?? text.length) : n)
    return text.slice(place(match.index), place(match.index + match[0].length)).trim()
  }
}
