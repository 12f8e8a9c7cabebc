import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { serveStatic } from '@hono/node-server/serve-static'
import type { Hono } from 'hono'
import { html } from 'hono/html'
import { page } from './page.ts'
import { nothingHere } from './problem.ts'

/** Serves the built web app: its files, and its page for every address that is the app's own. */
export const serveWebApp = (app: Hono, dist: string): void => {
  if (existsSync(dist)) serveFiles(app, dist)
  app.get('*', async (c) => {
    const wantsPage = (c.req.header('accept') ?? '*/*').match(/text\/html|\*\/\*/)
    if (!wantsPage || RESERVED.test(c.req.path)) throw nothingHere()
    const file = join(dist, 'index.html')
    if (!existsSync(file)) return c.html(notBuilt(), 503)
    return c.html(await readFile(file, 'utf8'), 200, { 'cache-control': 'no-cache' })
  })
}

const serveFiles = (app: Hono, dist: string): void => {
  // Their names change with their content.
  app.use('/assets/*', async (c, next) => {
    await next()
    if (c.res.ok) c.res.headers.set('cache-control', 'public, max-age=31536000, immutable')
  })
  app.get('/assets/*', serveStatic({ root: dist }))
  app.get('/:file{[\\w.-]+\\.(?:svg|png|ico|txt|webmanifest|js|json|woff2)}', serveStatic({ root: dist }))
}

/** Addresses that are no pages: a wrong one is told so. */
const RESERVED =
  /^\/(api|intake|external|mcp|unsubscribe|assets|healthz|readyz|openapi\.json)(\/|$)|\.\w{1,8}$/

const notBuilt = () =>
  page(
    'Not built',
    html`<h1>The web app is not built yet</h1>
      <p>
        Start Leadhand with <code>npm start</code>, which builds it, or run <code>npx vite build web</code>.
        The API works meanwhile: <a href="/docs">/docs</a>.
      </p>`,
  )
