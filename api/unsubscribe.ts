import { html } from 'hono/html'
import type { HtmlEscapedString } from 'hono/utils/html'
import type { Database } from '../db/client.ts'
import type { Ctx } from '../db/context.ts'
import { resolveToken } from '../db/identity.ts'
import { findOptOut, optOut } from '../db/opt-outs.ts'
import { page } from './page.ts'
import { nothingHere } from './problem.ts'

type Markup = HtmlEscapedString | Promise<HtmlEscapedString>

/** The link of an e-mail: programs that scan links open it too, so it only asks. */
export const askToUnsubscribe = async (db: Database, token: string): Promise<Markup> => {
  const { ctx, email } = await addressOf(db, token)
  if (await findOptOut(ctx, email)) return gone(email)
  return page(
    'Unsubscribe',
    html`<h1>No more e-mail?</h1>
      <p>We will not write to <b>${email}</b> again.</p>
      <form method="post"><button type="submit">Unsubscribe</button></form>`,
  )
}

/** One click (RFC 8058), from the page or from the mail program. Twice is once. */
export const unsubscribe = async (db: Database, token: string): Promise<Markup> => {
  const { ctx, email } = await addressOf(db, token)
  await optOut(ctx, email, 'unsubscribed')
  return gone(email)
}

const gone = (email: string): Markup =>
  page(
    'Unsubscribed',
    html`<h1>You are unsubscribed</h1>
      <p>We will not write to <b>${email}</b> again. You can close this page.</p>`,
  )

const addressOf = async (db: Database, token: string): Promise<{ ctx: Ctx; email: string }> => {
  const found = await resolveToken(db, 'unsubscribe', token)
  if (!found) throw nothingHere()
  const email = found.principal
  return {
    ctx: { db, organization_id: found.organization_id, actor: { kind: 'visitor', id: email, name: email } },
    email,
  }
}
