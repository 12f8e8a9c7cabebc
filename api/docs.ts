import { html, raw } from 'hono/html'
import type { HtmlEscapedString } from 'hono/utils/html'
import type { OpenApi, Operation } from './openapi.ts'
import { page } from './page.ts'

type Markup = HtmlEscapedString | Promise<HtmlEscapedString>

/** The documentation page, made from the OpenAPI document: works offline, runs no script. */
export const docsPage = (document: OpenApi): Markup => {
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method: method.toUpperCase(), operation })),
  )
  const tags = [...new Set(operations.flatMap(({ operation }) => operation.tags))]
  return page(
    'API',
    html`<h1>API</h1>
      <p>
        Send an API key as <code>Authorization: Bearer …</code>; keys are made under Settings. Errors are
        <code>application/problem+json</code> with a stable <code>code</code>. Lists answer
        <code>{data, next_cursor}</code>. Writes accept an <code>Idempotency-Key</code>. Programs use
        <a href="#external"><code>/external/v1</code></a
        >: addresses that stay, and batches of up to 1,000. How often a key may still ask is said in
        <code>RateLimit-Remaining</code>; beyond that it is 429 with <code>Retry-After</code>. The same as a
        document for programs: <a href="/openapi.json">/openapi.json</a>.
      </p>
      <nav>${tags.map((tag) => html`<a href="#${tag}">${tag}</a> `)}</nav>
      ${tags.map(
        (tag) =>
          html`<h2 id="${tag}">${tag}</h2>
            ${operations.filter(({ operation }) => operation.tags.includes(tag)).map(operationSection)}`,
      )}`,
  )
}

const operationSection = ({
  path,
  method,
  operation,
}: {
  path: string
  method: string
  operation: Operation
}): Markup =>
  html`<details>
    <summary><b>${method}</b> <code>${path}</code> <span>${operation.summary}</span></summary>
    ${operation.description ? html`<p>${operation.description}</p>` : ''}
    ${operation['x-permission'] ? html`<p>Needs <code>${operation['x-permission']}</code>.</p>` : ''}
    ${block('Parameters', operation.parameters)} ${block('Body', operation.requestBody)}
    ${block('Answers', operation.responses)}
  </details>`

const block = (title: string, value: object | undefined): Markup | string =>
  value
    ? html`<h3>${title}</h3>
        <pre>${raw(escaped(JSON.stringify(value, null, 2)))}</pre>`
    : ''

/** `pre` keeps its line breaks only when the template does not indent them. */
const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
