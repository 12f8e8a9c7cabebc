import { load, type CheerioAPI } from 'cheerio/slim'
import { DomHandler, ElementType, Parser } from 'htmlparser2'
import { plainBlock, plainText, shorten } from './plain-text.ts'
import type { Fetched } from './web.ts'

/** A page that was read: its document, and its text as a visitor sees it. */
export type SitePage = {
  url: string
  status: number
  title: string
  bytes: number
  headers: Headers
  /** The beginning of the source, for signatures. */
  source: string
  $: CheerioAPI
  /** Everything visible, one line per block. */
  text: string
  /** The visible text without navigation and footer. */
  main: string
  links: { url: URL; text: string }[]
}

/** How much of one page is looked at; what lies beyond is ignored. */
export const PAGE = { source_chars: 1_000_000, text_chars: 60_000, links: 600, depth: 512 } as const

/** Parses a page in time linear to its size, whatever its markup tries. */
export const parsePage = (fetched: Fetched): SitePage => {
  const source = fetched.text.slice(0, PAGE.source_chars)
  const document = parseDocument(source)
  const $ = load(document)
  const { text, main } = readText(document)
  return {
    url: fetched.url,
    status: fetched.status,
    title: shorten(plainText($('title').first().text() || $('h1').first().text()), 200),
    bytes: fetched.bytes,
    headers: fetched.headers,
    source,
    $,
    text,
    main: main || text,
    links: readLinks($, fetched.url),
  }
}

/** The text of a heading, a link or another small element. */
export const elementText = ($: CheerioAPI, element: Parameters<CheerioAPI>[0]): string =>
  shorten(plainText($(element).text()), 300)

class TooDeep extends Error {}

// Matching closing tags walks the open ones, so unlimited depth would cost quadratic time; browsers stop at 512 too.
class ShallowDom extends DomHandler {
  override onopentag(name: string, attributes: Record<string, string>): void {
    if (this.tagStack.length > PAGE.depth) throw new TooDeep()
    super.onopentag(name, attributes)
  }
}

const parseDocument = (source: string): DomHandler['root'] => {
  const handler = new ShallowDom()
  // One element around everything: selecting among many elements at the root costs quadratic time.
  handler.onopentag('page', {})
  const parser = new Parser(handler, { decodeEntities: true })
  try {
    parser.end(source)
  } catch (error) {
    if (!(error instanceof TooDeep)) throw error // what was parsed up to there is the page
  }
  return handler.root
}

type Node = DomHandler['root'] | DomHandler['dom'][number]

const UNSEEN = new Set([
  'script',
  'style',
  'noscript',
  'template',
  'svg',
  'iframe',
  'object',
  'canvas',
  'head',
  'select',
  'textarea',
  'datalist',
  'math',
])
const ASIDE = new Set(['nav', 'footer'])
const INLINE = new Set([
  'a',
  'abbr',
  'b',
  'bdi',
  'bdo',
  'cite',
  'code',
  'em',
  'font',
  'i',
  'img',
  'kbd',
  'mark',
  'q',
  's',
  'small',
  'span',
  'strong',
  'sub',
  'sup',
  'time',
  'u',
  'wbr',
])
const HIDING_STYLE =
  /display\s*:\s*none|visibility\s*:\s*(?:hidden|collapse)|opacity\s*:\s*0(?:\.0*)?(?:\s*[;!%]|\s*$)|font-size\s*:\s*0(?:\.0*)?(?:px|em|rem|%|pt)?(?:\s*[;!]|\s*$)|text-indent\s*:\s*-\d{3,}|(?:left|top)\s*:\s*-\d{3,}|clip\s*:\s*rect\(\s*0/i

const isHidden = (name: string, attributes: Record<string, string>): boolean =>
  UNSEEN.has(name) ||
  attributes.hidden !== undefined ||
  attributes['aria-hidden'] === 'true' ||
  (attributes.style !== undefined && HIDING_STYLE.test(attributes.style))

const readText = (document: Node): { text: string; main: string } => {
  const all: string[] = []
  const main: string[] = []
  let length = 0
  const emit = (piece: string, aside: boolean) => {
    all.push(piece)
    if (!aside) main.push(piece)
    length += piece.length
  }
  // A stack of our own: recursion would follow the page's nesting.
  const open: { node: Node; aside: boolean; leaving: boolean }[] = [
    { node: document, aside: false, leaving: false },
  ]
  for (let next = open.pop(); next && length < PAGE.text_chars; next = open.pop()) {
    const { node, aside, leaving } = next
    if (node.type === ElementType.Text) emit(node.data.replace(/\s+/g, ' '), aside)
    if (!('children' in node)) continue
    const name = 'name' in node ? node.name : ''
    if (leaving || name === 'br') emit('\n', aside)
    if (leaving || ('attribs' in node && isHidden(name, node.attribs))) continue
    const inside = aside || ASIDE.has(name)
    if (name !== '' && !INLINE.has(name)) {
      emit('\n', aside)
      open.push({ node, aside, leaving: true })
    }
    for (const child of node.children.toReversed()) open.push({ node: child, aside: inside, leaving: false })
  }
  return { text: tidy(all), main: tidy(main) }
}

const tidy = (pieces: string[]): string =>
  plainBlock(pieces.join(''))
    .split('\n')
    .map((line) => line.replace(/ +/g, ' ').trim())
    .filter((line) => line !== '')
    .join('\n')
    .slice(0, PAGE.text_chars)
    .toWellFormed()

const readLinks = ($: CheerioAPI, page_url: string): SitePage['links'] => {
  const declared = $('base[href]').first().attr('href')
  const base =
    declared !== undefined && URL.canParse(declared, page_url) ? new URL(declared, page_url).href : page_url
  return $('a[href]')
    .slice(0, PAGE.links)
    .toArray()
    .flatMap((link) => {
      const href = $(link).attr('href')?.trim() ?? ''
      if (href.length > 500 || !URL.canParse(href, base)) return []
      const text =
        elementText($, link) || plainText($(link).attr('aria-label') ?? $(link).attr('title') ?? '')
      return [{ url: new URL(href, base), text }]
    })
}
