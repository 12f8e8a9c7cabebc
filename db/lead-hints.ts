import { createHash } from 'node:crypto'
import { fold, isUnspaced } from './folding.ts'
import type { Traits } from './lead-likeness.ts'
import { givenSound, soundOf } from './person-names.ts'

/**
 * What leads that resemble each other have in common, so that near matches are found by an index instead of by comparing
 * everybody with everybody: the sound of the name in any order, the end of the telephone number, the e-mail name, and
 * either half of the name together with the company or, where there is none, the town; of names that are written with a
 * space and without one, the whole. A hint is the first 64 bits of a
 * hash; that two things share one by chance costs a comparison, never a wrong match.
 */
export const hintsOf = (traits: Traits): string[] => {
  const name = nameHint(traits)
  const { person, phone, email, city } = traits
  const given = person.words[0] === undefined ? '' : givenSound(person.words[0])
  const last = person.words.at(-1)
  const family = last === undefined || person.words.length < 2 ? '' : soundOf(last)
  const whole = wholeOf(person.words)
  const halves = [...new Set([given, family, whole])].filter((half) => half !== '')
  const hints = new Set<string>()
  if (whole !== '' && person.words.length > 1) hints.add(nameOf(person.words))
  if (phone.length >= 7) hints.add(`phone ${phone.slice(-7)}`)
  if (email && !email.shared) {
    const letters = lettersOf(email.local)
    if (letters.length >= 4) hints.add(`mail ${letters}`)
  }
  const firms = firmsOf(traits)
  for (const firm of firms) {
    if (halves.length === 0) hints.add(`firm ${firm}`)
    for (const half of halves) hints.add(`firm ${firm} ${half}`)
  }
  if (firms.length === 0 && city !== '') for (const half of halves) hints.add(`town ${soundOf(city)} ${half}`)
  return [...(name === undefined ? [] : [name]), ...[...hints].map(hashOf)]
}

/** The hint that everybody shares who is called so. */
export const nameHint = ({ person: { words } }: Traits): string | undefined => {
  const whole = wholeOf(words)
  if (whole.length > 1) return hashOf(`name ${whole}`)
  return words.length < 2 ? undefined : hashOf(nameOf(words))
}

/** In any order. */
const nameOf = (words: string[]): string =>
  `name ${[givenSound(words[0] ?? ''), soundOf(words.at(-1) ?? '')].toSorted().join(' ')}`

/** A name in a script without spaces, written together; of any other, nothing. */
const wholeOf = (words: string[]): string => (words.every(isUnspaced) ? words.join('') : '')

/** By its name and by its domain, which mostly say the same: then it is one. */
const firmsOf = ({ company, domain }: Traits): string[] => {
  const label = fold(domain?.split('.')[0] ?? '').replaceAll(' ', '')
  return [...new Set([company.words.join(''), label].filter((firm) => firm !== '').map(firmSound))]
}

/** The beginning of how it sounds, because names are cut and added to at the end; with its digits, which tell branches apart. */
const firmSound = (firm: string): string => {
  const sound = soundOf(firm.replaceAll(/\d/g, '')).slice(0, SOUND)
  return `${sound}${firm.replaceAll(/\D/g, '')}`
}

const SOUND = 4

/** `anna.berg`, `berg_anna` and `annaberg7` are near each other. */
const lettersOf = (local: string): string =>
  fold(local.replace(/\+.*$/, '')).replaceAll(/\d/g, '').split(' ').toSorted().join('')

const hashOf = (hint: string): string =>
  createHash('sha256').update(hint).digest().readBigInt64BE(0).toString()
