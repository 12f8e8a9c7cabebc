import { z } from 'zod'
import { recordAddress } from './versions.ts'

/** What is declared of an operation that decides whether If-Match counts on it. */
type Declared = {
  method: string
  path: string
  versioned?: boolean | 'optional'
  if_match?: boolean
  body?: z.ZodType
}

/** Whether an operation looks at the version itself: its body may name one, or its work finds out what it is of. */
export const takesVersion = ({ versioned, if_match, body }: Declared): boolean =>
  Boolean(versioned) || if_match === true || hasVersion(body)

/**
 * The record that a write is about and that is held to If-Match for it, because the write takes no version itself: the one
 * at its address, where what reads it answers a version.
 */
export const heldRecord = <Reader extends { definition: { response?: z.ZodType } }>(
  declared: Declared,
  readerAt: (path: string) => Reader | undefined,
): { address: string; reader: Reader } | undefined => {
  const address = recordAddress(declared.path)
  if (declared.method === 'GET' || takesVersion(declared) || address === undefined) return undefined
  const reader = readerAt(address)
  return reader && hasVersion(reader.definition.response) ? { address, reader } : undefined
}

const hasVersion = (schema: z.ZodType | undefined): boolean =>
  schema instanceof z.ZodObject && 'version' in schema.shape
