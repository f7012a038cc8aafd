// A token has only those of its scopes that its credential still has. So a PATCH that removes scopes from an account also
// affects the tokens that were issued before.

import { expect, test, vi } from 'vitest'
import { type MemoryService, startMemory } from '../support/memory.ts'
import { asMain, basicOf, postForm } from '../support/oauth-wire.ts'
import { ADMIN_TOKEN } from '../support/server.ts'
import type { Json } from '../support/wire.ts'
import { claimToken, createAccount, createWorld, payloadOf, SITE, type World } from '../support/world.ts'

async function start(): Promise<{ readonly service: MemoryService; readonly world: World }> {
  const service = await startMemory({ CLAIMGATE_TRUSTED_PROXIES: 'loopback' })
  return { service, world: await createWorld(service) }
}

async function patchScopes({ send, accountId }: World, scopes: readonly string[]): Promise<void> {
  const answer = await send({
    method: 'PATCH',
    path: `/admin/accounts/${accountId}`,
    headers: { authorization: `Bearer ${ADMIN_TOKEN}`, 'content-type': 'application/json' },
    body: JSON.stringify({ scopes }),
  })
  expect(answer.status, answer.text).toBe(200)
}

/** What each endpoint of the service says about a token: its scopes, and whether it may write. */
async function askAll(world: World, token: string): Promise<Json> {
  const headers = { authorization: `Bearer ${token}`, origin: SITE }
  const proxied = { ...headers, 'x-original-method': 'GET', 'x-original-uri': '/things' }
  const whoami = await world.send({ method: 'GET', path: '/auth/whoami', headers })
  const forwarded = await world.send({ method: 'GET', path: '/auth/verify', headers: proxied })
  const writing = await world.send({ method: 'GET', path: '/auth/verify?scope=write', headers: proxied })
  const reported = await world.send({
    method: 'GET',
    path: '/auth/verify?scope=write&mode=report',
    headers: proxied,
  })
  const introspected = await world.send(postForm('/oauth/introspect', { token }, asMain(world)))
  return {
    whoami: whoami.json().scope,
    forwarded: forwarded.headers.get('x-claim-scope'),
    writing: `${writing.status} ${writing.headers.get('x-claim-scope')}`,
    reported: `${reported.status} ${reported.headers.get('x-claim-scope')}`,
    introspected: introspected.json().active && (introspected.json().scope ?? null),
  }
}

test('tokens lose the scopes that their account loses, and get them back with it', async () => {
  const { world } = await start()
  const token = await claimToken(world)
  const whole = {
    whoami: 'read write',
    forwarded: 'read write',
    writing: '200 read write',
    reported: '200 read write',
    introspected: 'read write',
  }
  expect(await askAll(world, token)).toEqual(whole)

  await patchScopes(world, ['read', 'admin'])
  expect(await askAll(world, token)).toEqual({
    whoami: 'read',
    forwarded: 'read',
    writing: '403 null',
    reported: '200 read',
    introspected: 'read',
  })

  await patchScopes(world, [])
  expect(await askAll(world, token)).toEqual({
    whoami: null,
    forwarded: null,
    writing: '403 null',
    reported: '200 null',
    introspected: null,
  })

  // Narrowing did not change the claims in the cache of verified tokens.
  await patchScopes(world, ['write', 'read', 'admin'])
  expect(await askAll(world, token)).toEqual(whole)
})

test('a token gets no scope that it was not issued with; one without scopes does not change', async () => {
  const { world } = await start()
  const token = await claimToken(world, { scope: 'write' })
  const bare = (await createAccount(world, { name: 'Bare', allowedOrigins: [SITE] })).credential
  const bareToken = await claimToken({ ...world, token: bare.token })
  expect(payloadOf(bareToken)).not.toHaveProperty('scope')
  await patchScopes(world, ['read'])
  expect(await askAll(world, token)).toMatchObject({ whoami: null, writing: '403 null', introspected: null })
  const whoami = await world.send({
    method: 'GET',
    path: '/auth/whoami',
    headers: { authorization: `Bearer ${bareToken}`, origin: SITE },
  })
  expect(whoami.json()).toMatchObject({ clientId: bare.clientId, scope: null })
})

test('the scopes come from the look-up of the check for revocation, without another look-up', async () => {
  const { service, world } = await start()
  const token = await claimToken(world)
  await patchScopes(world, ['read'])
  const lookUp = vi.spyOn(service.deps.storage, 'findCredentialStale')
  const answer = await world.send({
    method: 'GET',
    path: '/auth/whoami',
    headers: { authorization: `Bearer ${token}`, origin: SITE },
  })
  expect(answer.json().scope).toBe('read')
  expect(lookUp).toHaveBeenCalledTimes(1)
})

test('a token that has lost scopes is inactive for another account, and after its revocation', async () => {
  const { world } = await start()
  const token = await claimToken(world)
  await patchScopes(world, ['read'])
  const other = (await createAccount(world, { name: 'Other', allowedOrigins: [SITE] })).credential
  const asked = await world.send(
    postForm('/oauth/introspect', { token }, { authorization: basicOf(other.clientId, other.clientSecret) }),
  )
  expect(asked.json()).toEqual({ active: false })
  await world.send(postForm('/oauth/revoke', { token }, asMain(world)))
  expect((await world.send(postForm('/oauth/introspect', { token }, asMain(world)))).json()).toEqual({
    active: false,
  })
})
