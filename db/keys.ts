import { createCipheriv, createDecipheriv, createHash, createHmac, hkdfSync, randomBytes } from 'node:crypto'

/** Keys that APP_SECRET yields, one per purpose (HKDF, RFC 5869); `id` is stored beside what they made. */
export type KeySet = {
  readonly id: string
  readonly audit: Uint8Array
  readonly encryption: Uint8Array
  readonly links: Uint8Array
  readonly sessions: string
}

/** The key set of today, and the one before it while a rotation lasts. */
export type Keys = { readonly current: KeySet; readonly previous: KeySet | undefined }

/** Derives the keys of `APP_SECRET` and, during a rotation, of `APP_SECRET_PREVIOUS`. */
export const deriveKeys = (secret: string, previous?: string): Keys => ({
  current: keySet(secret),
  previous: previous ? keySet(previous) : undefined,
})

/** The key set that made something, by the id stored beside it. */
export const keySetOf = (keys: Keys, id: string): KeySet | undefined =>
  keys.current.id === id ? keys.current : keys.previous?.id === id ? keys.previous : undefined

/** AES-256-GCM under today's key: `key id.nonce.tag.text`, base64url. */
export const encrypt = (keys: Keys, text: string): string => {
  const nonce = randomBytes(12)
  const cipher = createCipheriv('aes-256-gcm', keys.current.encryption, nonce)
  const sealed = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()])
  return [
    keys.current.id,
    ...[nonce, cipher.getAuthTag(), sealed].map((part) => part.toString('base64url')),
  ].join('.')
}

/**
 * Opens what `encrypt` closed.
 * @throws when it was closed under a secret that is neither APP_SECRET nor APP_SECRET_PREVIOUS, or was changed
 */
export const decrypt = (keys: Keys, sealed: string): string => {
  const [id = '', nonce = '', tag = '', text = ''] = sealed.split('.')
  const set = keySetOf(keys, id)
  if (!set) throw new Error('encrypted under another APP_SECRET: set the old one as APP_SECRET_PREVIOUS')
  const decipher = createDecipheriv('aes-256-gcm', set.encryption, Buffer.from(nonce, 'base64url'))
  decipher.setAuthTag(Buffer.from(tag, 'base64url'))
  return Buffer.concat([decipher.update(Buffer.from(text, 'base64url')), decipher.final()]).toString('utf8')
}

/** What is stored of a key or token: its SHA-256, hex. */
export const hashToken = (token: string): string => createHash('sha256').update(token).digest('hex')

/** A fresh secret with a prefix that says what it is: 32 random bytes, base64url. */
export const newToken = (prefix: string): string => `${prefix}_${randomBytes(32).toString('base64url')}`

/** A token that can be made again for the same thing, for links that must stay valid (unsubscribe). */
export const linkToken = (keys: Keys, ...parts: string[]): string =>
  createHmac('sha256', keys.current.links).update(parts.join('\u0000')).digest('base64url')

const keySet = (secret: string): KeySet => {
  const derive = (purpose: string) =>
    new Uint8Array(hkdfSync('sha256', secret, '', `leadhand ${purpose}`, 32))
  return {
    id: Buffer.from(derive('key id')).subarray(0, 4).toString('hex'),
    audit: derive('audit'),
    encryption: derive('encryption'),
    links: derive('links'),
    sessions: Buffer.from(derive('sessions')).toString('base64url'),
  }
}
