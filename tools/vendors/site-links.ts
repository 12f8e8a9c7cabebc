import { isIP } from 'node:net'
import { getDomain } from 'tldts'
import type { SitePage } from './site-page.ts'

/** What a page of a company's site is usually about. */
export type Topic = 'about' | 'contact' | 'imprint' | 'offers' | 'team' | 'pricing'

/** True when both addresses belong to the same owner: the same registrable domain, or the same host and port where there is none. */
export const isSameSite = (one: URL, other: URL): boolean => {
  const domain = registrableDomain(one.hostname)
  if (domain === undefined) return one.host === other.host
  return domain === registrableDomain(other.hostname) && (one.port === other.port || other.port === '')
}

/** `brightside.co.uk` of `www.shop.brightside.co.uk`; nothing for addresses, `localhost` and bare suffixes. */
export const registrableDomain = (hostname: string): string | undefined => {
  if (isIP(hostname.replace(/^\[|\]$/g, '')) !== 0) return undefined
  return getDomain(hostname, { allowPrivateDomains: true }) ?? undefined
}

/** At most `count` further pages worth reading, one per topic, from the links of the start page; the shortest path wins. */
export const choosePages = (start: SitePage, count: number): URL[] => {
  const home = new URL(start.url)
  const seen = new Set([pageKey(home)])
  const chosen: URL[] = []
  const candidates = start.links.filter(
    ({ url }) =>
      /^https?:$/.test(url.protocol) &&
      isSameSite(home, url) &&
      !NOT_A_PAGE.test(url.pathname) &&
      !url.search,
  )
  for (const topic of TOPIC_ORDER) {
    const best = candidates
      .filter((link) => topicOf(link.url, link.text) === topic && !seen.has(pageKey(link.url)))
      .toSorted((a, b) => a.url.pathname.length - b.url.pathname.length)[0]
    if (!best || chosen.length >= count) continue
    seen.add(pageKey(best.url))
    const url = new URL(best.url)
    url.hash = ''
    chosen.push(url)
  }
  return chosen
}

/** What a page is about by its path and the words of the link to it, in English, German, French, Spanish, Italian, Dutch and the Nordic languages. */
export const topicOf = (url: URL, link_text = ''): Topic | undefined => {
  const path = fold(decodePercent(url.pathname))
  if (IGNORED.test(path)) return undefined
  const text = link_text.length <= 60 ? fold(link_text) : ''
  return TOPIC_ORDER.find((topic) => TOPICS[topic].test(path) || TOPICS[topic].test(text))
}

/** The same page whatever its scheme, `www.`, fragment or trailing slash. */
export const pageKey = (url: URL): string =>
  `${url.host.replace(/^www\./, '')}${url.pathname.replace(/\/(index\.\w+)?$/, '')}${url.search}`

const TOPIC_ORDER: readonly Topic[] = ['about', 'contact', 'imprint', 'offers', 'team', 'pricing']

const words = (list: string): RegExp =>
  new RegExp(
    `(?:^|[^a-z])(?:${list
      .trim()
      .split(/\s*\n\s*|\s+/)
      .map((word) => word.replaceAll('_', "[-_ ’']?"))
      .join('|')})(?![a-z])`,
  )

const TOPICS: Record<Topic, RegExp> = {
  about:
    words(`about about_us about_me who_we_are our_story our_company company story mission uber_uns ueber_uns unternehmen wir_uber_uns firma a_propos qui_sommes_nous
    entreprise notre_histoire nosotros sobre_nosotros quienes_somos quienessomos empresa acerca_de sobre sobre_nos chi_siamo azienda over_ons om_oss om_os tietoa_meista o_nas`),
  contact: words(
    'contacts? contact_us get_in_touch kontakte? nous_contacter contactez_nous contacto contactanos contatti contato contattaci yhteystiedot kontakta_oss',
  ),
  imprint: words(
    'imprint impressum legal_notice legal_disclosure mentions_legales aviso_legal note_legali informazioni_legali colofon',
  ),
  offers:
    words(`products? our_products services? solutions? offers? offerings? what_we_do our_work menu shop produkte leistungen angebote? loesungen losungen dienstleistungen
    produits prestations nos_services nos_produits productos servicios soluciones prodotti servizi producten diensten tjenester tjanster produkter`),
  team: words(
    'team our_team people leadership management das_team equipe notre_equipe equipo nuestro_equipo staff ledelse',
  ),
  pricing: words('pricing prices plans rates preise tarife tarifs precios planes prezzi prijzen priser'),
}

const IGNORED =
  /(?:^|\/)(?:blog|news|press|jobs?|careers?|karriere|login|signin|sign-in|account|cart|warenkorb|checkout|privacy|datenschutz|terms|agb|cookies?|tag|category|wp-json|feed)(?:[/.-]|$)/
const NOT_A_PAGE =
  /\.(?:pdf|jpe?g|png|gif|webp|svg|zip|gz|mp[34]|mov|docx?|xlsx?|pptx?|ics|vcf|xml|json|css|js)$/i

const fold = (text: string): string => text.normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase()

/** Undoes percent-encoding where it is valid. */
export const decodePercent = (path: string): string => {
  try {
    return decodeURIComponent(path)
  } catch {
    return path // a path that is not valid percent-encoding is matched as it stands
  }
}
