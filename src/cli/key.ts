// `key list` and `key rotate`: the signing keys of the configured store. Prints no key material.

import { existsSync } from 'node:fs'
import type { Command } from 'commander'
import { LOST_KEYS } from '../adapters/node/banner.ts'
import { openKeyLife } from '../adapters/node/open.ts'
import { createFault } from '../adapters/node/private-files.ts'
import { rotateKeys, toWireKey, type WireKey } from '../admin/key.ts'
import type { Config } from '../config/config.ts'
import { applyRevocations, type KeyRecord } from '../signing/key-life.ts'
import { StorageError } from '../storage/errors.ts'
import { CliError, toCliError } from './fault.ts'
import { readConfig, readRules, withReadKeys, withReadRecords, withRecords } from './open.ts'
import { addExample, addJsonOption } from './options.ts'
import { commandName, IN_FORCE, warnOfOpenFolder } from './output.ts'
import type { Shell } from './shell.ts'
import { type Emphasis, renderTable } from './table.ts'
import { describeIso, describeTime, shortenIso } from './when.ts'

/** Adds `key list` and `key rotate` to the program. */
export function addKeyCommands(program: Command, shell: Shell): void {
  const key = program.command('key').description('list and rotate the keys that sign tokens')
  const list = addJsonOption(key.command('list'))
    .description('list the signing keys and their states; creates none')
    .action((options) => listKeys(shell, options))
  addExample(list, 'key list')
  const rotate = addJsonOption(key.command('rotate'))
    .description('sign with the pending key from now on; existing tokens stay valid')
    .option('--force', 'rotate even if verifiers may not know the pending key yet')
    .action((options) => rotateKey(shell, options))
  addExample(rotate, 'key rotate')
}

const SEE = `see: ${commandName} key list`

const NO_KEYS = 'the server and the command claim create them when they first need them'

const NO_FOLDER = `does not exist; check CLAIMGATE_KEYS_DIR and the current folder. If this is a new installation: ${NO_KEYS}`

async function listKeys(shell: Shell, { json }: { readonly json?: boolean }): Promise<void> {
  const config = readConfig(shell)
  const { keysDir } = config
  const stored = await withReadKeys(shell, config, async (keyStore) => {
    if (config.database.kind !== 'postgres' && !existsSync(keysDir)) throw createFault(keysDir, NO_FOLDER)
    warnOfOpenFolder(shell, config)
    // The lifetime is used only when keys change. Here they are only listed.
    return openKeyLife(keyStore, config, config.maxTtl).list()
  })
  const isRevoked = stored.length === 0 ? () => false : await findRevokedKeys(shell, config)
  const keys = applyRevocations(stored, isRevoked).map(toWireKey)
  if (json) return shell.printJson({ keys })
  shell.print(renderKeys(keys, shell.bold))
  if (keys.length === 0) shell.printAside(`There are no signing keys yet; ${NO_KEYS}.\n`)
}

/**
 * Reads which keys are revoked. None counts as revoked when the database is in memory. When the database cannot be
 * opened, none counts as revoked either, and a warning is printed.
 */
async function findRevokedKeys(shell: Shell, config: Config): Promise<(kid: string) => boolean> {
  if (config.database.kind === 'memory') return () => false
  try {
    return await withReadRecords(
      shell,
      config,
      async (storage) => (await readRules(shell, storage)).isKeyRevoked,
    )
  } catch (error) {
    if (!(error instanceof StorageError)) throw error
    shell.printWarning(`${error.message}; revoked keys are therefore not shown as expired here`)
    return () => false
  }
}

async function rotateKey(
  shell: Shell,
  { force = false, json }: { force?: boolean; json?: boolean },
): Promise<void> {
  const config = readConfig(shell)
  await withRecords(shell, config, async (ports) => {
    const now = Date.now()
    warnOfOpenFolder(shell, config)
    const areMissing = (await ports.keyLife.list()).length === 0
    const rotated = await rotateKeys(ports, { force }, 'cli', now)
    if (!rotated.ok) {
      const why = describeObstacle(await ports.keyLife.list(), config, force, now)
      throw why === undefined ? toCliError(rotated.reason, SEE) : new CliError('conflict', `${why}; ${SEE}`)
    }
    if (areMissing && (await ports.storage.hasUsedCredential())) shell.printWarning(LOST_KEYS)
    const keys = rotated.value.map(toWireKey)
    if (json) shell.printJson({ keys })
    else shell.print(`${renderKeys(keys, shell.bold)}\nThe new current key is ${IN_FORCE}.\n`)
  })
}

/**
 * Why these keys cannot be rotated, more exactly than the refusal says. Undefined when another process changed the keys
 * first, or too many keys are published.
 */
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
  return `verifiers may not know the pending key before ${describeTime(readyAt, now / 1000)}; wait, or pass --force`
}

/** A table of keys, one per line; an empty text when there are none. */
function renderKeys(keys: readonly WireKey[], bold: Emphasis): string {
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
