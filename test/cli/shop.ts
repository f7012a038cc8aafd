// A machine with one account, and the commands that tests often run on it.

import { expect } from 'vitest'
import type { Json } from '../support/wire.ts'
import { createMachine, type Machine } from './run.ts'

export const ORIGIN = 'https://shop.example'

export interface Shop extends Machine {
  readonly accountId: string
  readonly credentialId: string
  /** The account token of its credential. */
  readonly token: string
  /** Claims a browser token for ORIGIN, with the shop's account token by default. */
  claim(accountToken?: string): Promise<string>
  /** What `explain` decides about a browser token that ORIGIN sends: `allowed`, or an error code. */
  judge(token: string): Promise<string>
  /** The account's credentials as `account show` prints them. */
  credentials(): Promise<readonly Json[]>
}

/** A fresh machine with an account that holds the scopes read and write. */
export async function createShop(env: Readonly<Record<string, string>> = {}): Promise<Shop> {
  const machine = createMachine(env)
  const argv = ['account', 'create', '--name', 'Shop', '--origin', ORIGIN, '--scope', 'read write']
  const { account, credential } = await machine.json(argv)
  return {
    ...machine,
    accountId: account.id,
    credentialId: credential.id,
    token: credential.token,
    claim: async (stdin = credential.token) =>
      (await machine.json(['claim', '--origin', ORIGIN, '-'], { stdin })).token,
    judge: async (token) => (await machine.json(['explain', token, '--origin', ORIGIN])).code ?? 'allowed',
    credentials: async () => (await machine.json(['account', 'show', account.id])).credentials,
  }
}

/** Runs a command with --json and expects this exit code, this `error` and no output on stdout. Returns the JSON of stderr. */
export async function expectFailure(
  machine: Machine,
  argv: readonly string[],
  expected: readonly [exitCode: 1 | 2, error: string],
): Promise<Json> {
  const { code, stdout, stderr } = await machine.run([...argv, '--json'])
  const body = JSON.parse(stderr)
  expect([argv, code, body.error, stdout]).toEqual([argv, ...expected, ''])
  return body
}
