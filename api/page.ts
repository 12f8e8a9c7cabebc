import { html } from 'hono/html'
import type { HtmlEscapedString } from 'hono/utils/html'

type Markup = HtmlEscapedString | Promise<HtmlEscapedString>

/** A page that the server writes itself: no script, nothing from elsewhere. */
export const page = (title: string, content: Markup): Markup =>
  html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <title>${title} · Leadhand</title>
        <style>
          body {
            font:
              16px/1.6 system-ui,
              sans-serif;
            max-width: 52rem;
            margin: 3rem auto;
            padding: 0 1.25rem;
          }
          nav {
            display: flex;
            flex-wrap: wrap;
            gap: 0.25rem 1rem;
          }
          summary {
            cursor: pointer;
            padding: 0.35rem 0;
          }
          summary span {
            opacity: 0.75;
          }
          pre {
            overflow-x: auto;
            font-size: 0.8125rem;
            padding: 0.75rem;
            border: 1px solid #8884;
            border-radius: 8px;
          }
          button {
            font: inherit;
            padding: 0.5rem 1.25rem;
            border-radius: 8px;
            border: 1px solid #8888;
            cursor: pointer;
          }
        </style>
      </head>
      <body>
        <main>${content}</main>
      </body>
    </html>`
