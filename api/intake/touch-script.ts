import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'

/** Where websites load the script from that tells of visits. */
export const TOUCH_SCRIPT = '/touch.js'

/** Without indentation and lines of comment: every byte is loaded by every visitor. */
const script = readFileSync(new URL('./touch.js', import.meta.url), 'utf8')
  .split('\n')
  .map((line) => line.trim())
  .filter((line) => line !== '' && !line.startsWith('//'))
  .join('\n')

/** For `integrity="…"`, where a website wants this very script and no later one. */
export const SCRIPT_INTEGRITY = `sha384-${createHash('sha384').update(script).digest('base64')}`

const ETAG = `"${createHash('sha256').update(script).digest('base64url').slice(0, 22)}"`

const HEADERS = {
  'content-type': 'text/javascript; charset=utf-8',
  'cache-control': 'public, max-age=3600, stale-while-revalidate=86400',
  'access-control-allow-origin': '*',
  'cross-origin-resource-policy': 'cross-origin',
  etag: ETAG,
}

/** Serves the script, or says that the browser has it already. */
export const serveTouchScript = (request: Request): Response =>
  request.headers.get('if-none-match') === ETAG
    ? new Response(null, { status: 304, headers: HEADERS })
    : new Response(script, { headers: HEADERS })

/** How a page takes the script in. The token is known when the source is opened. */
export const touchSnippet = (app_url: string, token: string): string =>
  `<script src="${app_url}${TOUCH_SCRIPT}" data-token="${token}" defer></script>`
