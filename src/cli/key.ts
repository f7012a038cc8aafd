// `key list` and `key rotate`: the signing keys of the configured store, without their key material.

import type { Command } from 'commander'
import { KEYS_GONE } from '../adapters/node/banner.ts'
import { openKeyLife } from '../adapters/node/open.ts'
import { rotateKeys, toWireKey, type WireKey } from '../admin/key.ts'
import type { Config } from '../config/config.ts'
import { applyRevocations, type KeyRecord } from '../signing/key-life.ts'
import { StorageError } from '../storage/errors.ts'
import { CliError, toCliError } from './fault.ts'
import { readConfig, readRules, withReadRecords, withRecords } from './open.ts'
import { addExample, addJsonOption } from './options.ts'
import {
  bold,
  commandName,
  IN_FORCE,
  print,
  printAside,
  printJson,
  printWarning,
  warnOfOpenFolder,
} from './output.ts'
import { renderTable } from './table.ts'
import { describeIso, describeTime, shortenIso } from './when.ts'

/** Adds the commands to the program. */
export function addKeyCommands(program: Command): void {
  const key = program.command('key').description('see and rotate the keys that tokens are signed with')
  const list = addJsonOption(key.command('list'))
    .description('list the signing keys and where each is in its life; makes none')
    .action(listKeys)
  addExample(list, 'key list')
  const rotate = addJsonOption(key.command('rotate'))
    .description('sign with the pending key from now on; no token is refused for it')
    .option('--force', 'also when the pending key is not published long enough for every verifier to know it')
    .action(rotateKey)
  addExample(rotate, 'key rotate')
}

const SEE = `see: ${commandName} key list`

const NO_KEYS = 'the server and the command claim make them when they first need them'

async function listKeys({ json }: { readonly json?: boolean }): Promise<void> {
  const config = readConfig()
  warnOfOpenFolder(config, json === true)
  // Nothing is changed here, so no lifetime matters.
  const stored = await openKeyLife(config, config.maxTtl).list()
  const isRevoked = stored.length === 0 ? () => false : await findRevokedKeys(config, json === true)
  const keys = applyRevocations(stored, isRevoked).map(toWireKey)
  if (json) return printJson({ keys })
  print(renderKeys(keys))
  if (keys.length === 0) printAside(`There are no signing keys yet; ${NO_KEYS}.\n`)
}

/** Looks up which keys are revoked; none when the database is in memory or cannot be read. */
async function findRevokedKeys(config: Config, json: boolean): Promise<(kid: string) => boolean> {
  if (config.database.kind === 'memory') return () => false
  try {
    return await withReadRecords(config, async (storage) => (await readRules(storage)).isKeyRevoked)
  } catch (error) {
    if (!(error instanceof StorageError)) throw error
    printWarning(`${error.message}; so keys that were revoked are not marked as expired here`, json)
    return () => false
  }
}

async function rotateKey({ force = false, json }: { force?: boolean; json?: boolean }): Promise<void> {
  const config = readConfig()
  await withRecords(config, async (ports) => {
    const now = Date.now()
    warnOfOpenFolder(config, json === true)
    const areMissing = (await ports.keyLife.list()).length === 0
    const rotated = await rotateKeys(ports, { force }, 'cli', now)
    if (!rotated.ok) {
      const why = describeObstacle(await ports.keyLife.list(), config, force, now)
      throw why === undefined ? toCliError(rotated.reason, SEE) : new CliError('conflict', `${why}; ${SEE}`)
    }
    if (areMissing && (await ports.storage.hasUsedCredential())) printWarning(KEYS_GONE, json === true)
    const keys = rotated.value.map(toWireKey)
    if (json) printJson({ keys })
    else print(`${renderKeys(keys)}\nThe new current key is ${IN_FORCE}.\n`)
  })
}

/** Why keys like these were not rotated; undefined when it was a matter of chance. */
function describeObstacle(
  keys: readonly KeyRecord[],
  { alg, keyPublish }: Config,
  force: boolean,
  now: number,
): string | undefined {
  if (keys.length === 0) return `there are no signing keys yet, ${NO_KEYS}`
  const current = keys.find(({ state }) => state === 'current')
  if (current !== undefined && current.alg !== alg) {
    return `the service signs with ${current.alg}, and CLAIMGATE_ALG asks for ${alg}; set CLAIMGATE_ALG=${current.alg} to rotate its keys`
  }
  const pending = keys.find(({ state }) => state === 'pending')
  if (force || pending === undefined || now >= pending.createdAt + keyPublish * 1000) return undefined
  const readyAt = Math.ceil(pending.createdAt / 1000) + keyPublish
  return `verifiers may not know the pending key before ${describeTime(readyAt, now / 1000)}; wait, or say --force`
}

/** Keys, one a line; nothing when there are none. */
function renderKeys(keys: readonly WireKey[]): string {
  if (keys.length === 0) return ''
  const now = Date.now()
  const rows = keys.map(({ kid, alg, state, createdAt, currentSince, expiresAt }) => [
    kid,
    alg,
    state,
    shortenIso(createdAt),
    currentSince === null ? 'not yet' : shortenIso(currentSince),
    expiresAt === null ? '' : describeIso(expiresAt, now),
  ])
  return renderTable([['KEY', 'ALG', 'STATE', 'CREATED', 'SIGNED FROM', 'EXPIRES'], ...rows], bold)
}
