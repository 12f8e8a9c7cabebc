import { open } from 'node:fs/promises'
import { inTx, type Ctx, type TxCtx } from './context.ts'

/** Where bytes are kept in pieces, each a row: its table, and the column that says whose they are. */
export type ByteStore = { table: string; owner: string }

/** How bytes are cut into rows: so many of them are in memory at a time. */
export const PIECE_BYTES = 512 * 1024

/** Keeps what lies on this machine; one buffer for all pieces, and base64 to the driver, which would write bytes as twice as much hexadecimal text. */
export const storeBytes = async (
  { tx, organization_id }: TxCtx,
  { table, owner }: ByteStore,
  id: string,
  path: string,
): Promise<void> => {
  const file = await open(path)
  try {
    const piece = Buffer.allocUnsafe(PIECE_BYTES)
    for (let n = 0; ; n++) {
      const { bytesRead } = await file.read(piece, 0, piece.length)
      if (bytesRead === 0) return
      await tx`
        insert into ${tx(table)} (organization_id, ${tx(owner)}, n, bytes)
        values (${organization_id}, ${id}, ${n}, decode(${piece.toString('base64', 0, bytesRead)}, 'base64'))`
    }
  } finally {
    await file.close()
  }
}

/** What was kept, piece by piece: each is read when the one before was taken, in a transaction of its own. */
export async function* readBytes(
  ctx: Ctx,
  { table, owner }: ByteStore,
  id: string,
): AsyncGenerator<Uint8Array> {
  for (let n = 0; ; n++) {
    // Piece after piece, so that a large file takes no memory.
    const [piece] = await inTx(
      ctx,
      ({ tx, organization_id }) => tx<{ bytes: string }[]>`
        select encode(bytes, 'base64') as bytes from ${tx(table)}
        where organization_id = ${organization_id} and ${tx(owner)} = ${id} and n = ${n}`,
    )
    if (!piece) return
    yield Buffer.from(piece.bytes, 'base64')
  }
}
