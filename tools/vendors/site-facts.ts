import { plainText, sentenceAround } from './plain-text.ts'
import { countryCode, countryOf, emails, isEmail, phones, socialLinks } from './site-contacts.ts'
import { fact, type Fact, type FactKey } from './site-fact.ts'
import { recognizeIndustry } from './site-industry.ts'
import { registrableDomain, topicOf } from './site-links.ts'
import { elementText, type SitePage } from './site-page.ts'
import { readOrganizations, type StructuredOrganization } from './site-structured.ts'
import { recognizeTechnologies } from './site-technologies.ts'

/** Everything the pages say about their company, the start page first; nothing is guessed without a snippet. */
export const extractFacts = (pages: SitePage[]): Fact[] => {
  const organizations = pages.flatMap((page) =>
    readOrganizations(page).map((organization) => ({ page, organization })),
  )
  const main = organizations[0]
  const structured = main ? structuredFacts(main.page, main.organization) : []
  const country = countryOf(main?.organization, pages[0])
  const types = organizations.flatMap(({ organization }) => organization.types)
  const industry = recognizeIndustry(pages, types)
  return distinct([
    ...structured,
    ...pages.flatMap((page) => companyNames(page, pages)),
    ...pages.flatMap(descriptions),
    ...(industry ? [industry] : []),
    ...emails(pages),
    ...pages.flatMap((page) => phones(page, main?.organization.telephones ?? [], main?.page, country)),
    ...pages.flatMap((page) => socialLinks(page, page === main?.page ? main.organization.profiles : [])),
    ...pages.flatMap(historyFacts),
    ...pages.flatMap((page) => offers(page, page === main?.page ? main.organization.offers : [])),
    ...pages.flatMap(recognizeTechnologies),
  ])
}

const MOST: Record<FactKey, number> = {
  company_name: 1,
  description: 1,
  industry: 1,
  email: 5,
  phone: 5,
  street: 1,
  city: 1,
  state: 1,
  postal_code: 1,
  country: 1,
  social_link: 10,
  technology: 30,
  founded_year: 1,
  employee_count: 1,
  offer: 8,
}

const distinct = (facts: Fact[]): Fact[] => {
  const counts = new Map<FactKey, number>()
  const seen = new Set<string>()
  return facts.filter(({ key, value }) => {
    const identity = `${key} ${value.toLowerCase()}`
    const count = counts.get(key) ?? 0
    if (value === '' || seen.has(identity) || count >= MOST[key]) return false
    seen.add(identity)
    counts.set(key, count + 1)
    return true
  })
}

const structuredFacts = (page: SitePage, organization: StructuredOrganization): Fact[] => {
  const said = (key: FactKey, property: string, value: string | undefined, shown = value): Fact[] =>
    value === undefined ? [] : [fact(key, shown ?? value, page, `"${property}": "${value}"`)]
  const country = organization.country
  return [
    ...said('company_name', 'name', organization.name),
    ...said('description', 'description', organization.description),
    ...said('street', 'streetAddress', organization.street),
    ...said('city', 'addressLocality', organization.city),
    ...said('state', 'addressRegion', organization.state),
    ...said('postal_code', 'postalCode', organization.postal_code),
    ...said(
      'country',
      'addressCountry',
      country,
      country === undefined ? undefined : (countryCode(country) ?? country),
    ),
    ...said(
      'founded_year',
      'foundingDate',
      organization.founded,
      /\b(1[6-9]\d\d|20\d\d)\b/.exec(organization.founded ?? '')?.[1] ?? '',
    ),
    ...said('employee_count', 'numberOfEmployees', organization.employees),
    ...organization.emails
      .filter(isEmail)
      .flatMap((email) => said('email', 'email', email, email.toLowerCase())),
  ]
}

const meta = ({ $ }: SitePage, name: string): string =>
  plainText($(`meta[name="${name}" i], meta[property="${name}" i]`).first().attr('content') ?? '')

const companyNames = (page: SitePage, pages: SitePage[]): Fact[] => {
  const site_name = meta(page, 'og:site_name') || meta(page, 'application-name')
  const copyright =
    /(?:©|\(c\)|copyright)[ \t]{0,3}(?:\d{4}(?:[ \t]?[-–][ \t]?\d{4})?,?[ \t]{1,3})?(?:by[ \t])?([\p{Lu}\d][^\n|©.,–•]{2,60}?)(?=[ \t]*(?:[|©.,–•\n]|all rights|alle rechte|tous droits|$))/iu.exec(
      page.text,
    )
  const title = page === pages[0] ? nameInTitle(page) : ''
  return [
    ...(site_name === '' || site_name.length > 80
      ? []
      : [fact('company_name', site_name, page, `og:site_name: ${site_name}`)]),
    ...(copyright?.[1]
      ? [
          fact(
            'company_name',
            copyright[1],
            page,
            sentenceAround(page.text, copyright.index, copyright[0].length),
          ),
        ]
      : []),
    ...(title === '' ? [] : [fact('company_name', title, page, `title: ${page.title}`)]),
  ]
}

/** The part of a title that is the name: the one that the domain repeats, or else the first that is no `Home`. */
const nameInTitle = ({ title, url }: SitePage): string => {
  const parts = title
    .split(/\s+[|–—•·:»-]\s+|\s*\|\s*|:\s+/)
    .map((part) =>
      part.replace(/^(?:welcome to|willkommen (?:bei|auf)|bienvenue chez|bienvenidos? a)\s+/i, '').trim(),
    )
  const named = parts.filter(
    (part) =>
      part !== '' &&
      part.length <= 60 &&
      !/^(?:home(?:page)?|start(?:seite)?|accueil|inicio|welcome|willkommen|untitled|index)$/i.test(part),
  )
  const label =
    registrableDomain(new URL(url).hostname)
      ?.split('.')[0]
      ?.replace(/[^a-z0-9]/g, '') ?? ''
  const squeezed = (part: string) =>
    part
      .normalize('NFKD')
      .replace(/\p{M}/gu, '')
      .toLowerCase()
      .replace(/[^a-z0-9]/g, '')
  return (
    named.find(
      (part) =>
        label.length > 2 &&
        (squeezed(part).includes(label) || (squeezed(part).length > 2 && label.includes(squeezed(part)))),
    ) ??
    named[0] ??
    ''
  )
}

const descriptions = (page: SitePage): Fact[] => {
  const declared = ['description', 'og:description', 'twitter:description'].flatMap((name) =>
    meta(page, name).length >= 20
      ? [fact('description', meta(page, name), page, `${name}: ${meta(page, name)}`)]
      : [],
  )
  const paragraph = page.main
    .split('\n')
    .find((line) => line.length >= 60 && /[.!?]/.test(line) && !/cookie|javascript|newsletter/i.test(line))
  return [...declared, ...(paragraph === undefined ? [] : [fact('description', paragraph, page, paragraph)])]
}

const FOUNDED =
  /\b(?:founded|established|incorporated|started|gegründet|gegr\.|fondée?s?|créée?s?|fundad[ao]s?|fondat[ao])\b[^.\n\d]{0,40}\b(1[6-9]\d\d|20[0-4]\d)\b/iu
const EMPLOYEES =
  /\b(?:team of (?:about |over |more than )?(\d{1,6})|(\d{1,3}(?:[.,  ]\d{3})+|\d{1,6})\+? (?:employees|team members|people work|mitarbeiter(?:innen|\*innen|:innen)?|mitarbeitende|beschäftigte|employés|collaborateurs|salariés|empleados|dipendenti|medewerkers))/iu

const historyFacts = (page: SitePage): Fact[] => {
  const founded = FOUNDED.exec(page.text)
  const employees = EMPLOYEES.exec(page.text)
  const count = employees?.[1] ?? employees?.[2]
  return [
    ...(founded?.[1]
      ? [fact('founded_year', founded[1], page, sentenceAround(page.text, founded.index, founded[0].length))]
      : []),
    ...(employees && count
      ? [
          fact(
            'employee_count',
            count.replace(/[^\d]/g, ''),
            page,
            sentenceAround(page.text, employees.index, employees[0].length),
          ),
        ]
      : []),
  ]
}

const offers = (page: SitePage, declared: string[]): Fact[] => {
  const from_data = declared.map((name) => fact('offer', name, page, `"itemOffered": "${name}"`))
  const topic = topicOf(new URL(page.url))
  if (topic !== 'offers' && topic !== 'pricing') return from_data
  const headings = page
    .$('main h2, main h3, article h2, article h3, h2, h3')
    .slice(0, 40)
    .toArray()
    .map((heading) => elementText(page.$, heading))
  return [
    ...from_data,
    ...headings
      .filter(
        (heading) =>
          heading.length >= 3 &&
          heading.length <= 80 &&
          !/newsletter|cookie|faq|contact|kontakt|follow us|menu$/i.test(heading),
      )
      .map((heading) => fact('offer', heading, page, `heading: ${heading}`)),
  ]
}
