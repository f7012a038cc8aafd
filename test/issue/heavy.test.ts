// The most expensive texts that fit into a request: none takes 2 ms more than an ordinary request.

import { afterAll, beforeAll, expect, test } from 'vitest'
import { type MemoryService, startMemory } from '../support/memory.ts'
import { asserting, basicOf, FORM_TYPE, formOf } from '../support/oauth-wire.ts'
import { ADMIN_TOKEN } from '../support/server.ts'
import type { WireRequest } from '../support/wire.ts'
import { createAccount, createWorld, SITE, type World } from '../support/world.ts'

const BUDGET_MS = 2
/** Characters of a body that are left for a value. */
const ROOM = 15_900

let service: MemoryService
let world: World
/** Time of an ordinary claim, signature included, milliseconds. */
let usual: number

beforeAll(async () => {
  service = await startMemory({ CLAIMGATE_RATE_LIMIT: 'off', CLAIMGATE_LOG: 'silent' })
  world = await createWorld(service)
  usual = (await measure(json({ origin: SITE }), Number.POSITIVE_INFINITY)).best
})
afterAll(() => service.stop())

/** The longest time that any request may take, milliseconds. More on a machine so slow that every request takes long. */
const longest = (): number => usual + Math.max(BUDGET_MS, 5 * usual)

/**
 * The fastest of several runs, in milliseconds, because other work on the machine disturbs the fastest run least. After 25
 * runs it stops as soon as one was fast enough; an expensive request never is, however often it is repeated.
 */
async function measure(request: WireRequest, fastEnough: number): Promise<{ status: number; best: number }> {
  let best = Number.POSITIVE_INFINITY
  let status = 0
  for (let run = 0; run < 25 || (best >= fastEnough && run < 200); run += 1) {
    const from = performance.now()
    status = (await service.send(request)).status
    best = Math.min(best, performance.now() - from)
  }
  return { status, best }
}

const fill = (unit: string, room: number = ROOM): string =>
  unit.repeat(Math.floor(room / Buffer.byteLength(unit)))
const letters = (count: number): string =>
  Array.from({ length: count }, (_, index) => String.fromCodePoint(0x3400 + ((index * 11) % 6000))).join('')
const list = (count: number, member: (index: number) => string): string =>
  Array.from({ length: count }, (_, index) => member(index)).join(',')

const jsonText = (body: string, path = '/auth/claim'): WireRequest => ({
  method: 'POST',
  path,
  headers: { 'content-type': 'application/json', authorization: `Bearer ${world.token}` },
  body,
})
const json = (body: object, path?: string): WireRequest => jsonText(JSON.stringify(body), path)
const form = (body: string, path = '/auth/claim'): WireRequest => ({
  method: 'POST',
  path,
  headers: { 'content-type': FORM_TYPE },
  body,
})
const oauth = (body: string): WireRequest => ({
  ...form(`grant_type=client_credentials&${body}`, '/oauth/token'),
  headers: { 'content-type': FORM_TYPE, authorization: basicOf(world.clientId, world.clientSecret) },
})
const admin = (body: object | string): WireRequest => ({
  method: 'POST',
  path: '/admin/accounts',
  headers: { 'content-type': 'application/json', authorization: `Bearer ${ADMIN_TOKEN}` },
  body: typeof body === 'string' ? body : JSON.stringify({ name: 'A', allowedOrigins: [SITE], ...body }),
})
const page = (origin: string, method = 'POST'): WireRequest => ({
  method,
  path: '/m2m/token',
  headers: {
    origin,
    authorization: basicOf(world.clientId, world.clientSecret),
    ...(method === 'OPTIONS' && { 'access-control-request-method': 'POST' }),
  },
})
const explain = (body: object): WireRequest => ({
  ...admin(JSON.stringify({ token: 'x', ...body })),
  path: '/admin/explain',
})
const part = (text: string): string => Buffer.from(text).toString('base64url')

const rows: Readonly<Record<string, readonly [status: number, request: () => WireRequest]>> = {
  'origin: a name of letters that are not ASCII': [422, () => json({ origin: `https://${letters(5000)}` })],
  'origin: the longest name of such letters': [422, () => json({ origin: `https://${letters(292)}` })],
  'origin: marks that combine': [422, () => json({ origin: `https://a${fill('\u0323\u0302')}` })],
  'origin: labels': [422, () => json({ origin: `https://${fill('a.')}com` })],
  'origin: Punycode': [422, () => json({ origin: `https://${fill('xn--9.', 280)}com` })],
  'origin: a long path': [422, () => json({ origin: `https://a.example${fill('/..')}` })],
  'origin: of an app': [422, () => json({ origin: `app://${fill('a.')}!` })],
  'origin: as many labels as fit': [403, () => json({ origin: `https://${'a.'.repeat(123)}com` })],
  'scope: many': [422, () => json({ origin: SITE, scope: fill('a ') })],
  'scope: as many as fit': [403, () => json({ origin: SITE, scope: fill('a ', 1024) })],
  'ip: commas': [422, () => json({ origin: SITE, ip: fill(',') })],
  'ip: a list': [422, () => json({ origin: SITE, ip: Array(5000).fill('') })],
  'ip: one address, repeated': [422, () => json({ origin: SITE, ip: Array(1300).fill('10.0.0.7') })],
  'ip: repeats in a form': [422, () => form(`token=${world.token}&origin=${SITE}${fill('&ip=1', 15_700)}`)],
  'ip: in query string and body': [
    422,
    () =>
      json(
        { origin: SITE, ip: fill('2001:db8::7,', 15_500) },
        `/auth/claim?ip=${fill('2001:db8::7,', 15_500)}`,
      ),
  ],
  'expiresIn: digits': [422, () => json({ origin: SITE, expiresIn: fill('1') })],
  'unknown names': [200, () => jsonText(`{"origin":"${SITE}",${list(1700, (index) => `"I${index}":1`)}}`)],
  'names that resemble a known one': [
    422,
    () => jsonText(`{"origin":"${SITE}",${list(1100, (index) => `"IP[${index}]":1`)}}`),
  ],
  'JSON: nested lists': [400, () => jsonText(fill('[', 8000) + fill(']', 8000))],
  'JSON: nested objects': [422, () => jsonText(`${'{"a":'.repeat(2600)}1${'}'.repeat(2600)}`)],
  'JSON: escapes': [422, () => jsonText(`{"origin":"${fill('\\"')}"}`)],
  'JSON: backslashes': [422, () => jsonText(`{"origin":"${fill('\\\\')}"}`)],
  'form: names': [401, () => form(fill('a&'))],
  'form: blanks, also in the query string': [401, () => form(fill('a=+&'), `/auth/claim?${fill('a=+&')}`)],
  'form: escapes': [401, () => form(fill('%E4%B8%80=1&'))],
  'a query that is too long': [400, () => form('', `/auth/claim?${fill('a&', 60_000)}`)],
  'an account token': [401, () => form(`token=${fill('cgk_a_b_')}`)],
  'a Basic header': [
    401,
    () => ({
      ...oauth(''),
      headers: { 'content-type': FORM_TYPE, authorization: basicOf(fill('%41', 40_000), 'x') },
    }),
  ],
  'two headers of AI Fabrix': [
    401,
    () => ({
      method: 'POST',
      path: '/api/v1/auth/token',
      headers: { 'x-client-id': fill('a', 30_000), 'x-client-secret': fill('b', 30_000) },
    }),
  ],
  'a page: texts that resemble account tokens': [
    403,
    () => ({ method: 'POST', path: '/auth/claim', headers: { origin: SITE }, body: fill('cgk_a_b_cccccc ') }),
  ],
  'a page: client ids that are too long': [
    400,
    () => ({ ...form(fill(`client_id=${'a'.repeat(80)}!`), '/oauth/token'), headers: { origin: SITE } }),
  ],
  'a page: an origin of Latin letters': [403, () => page(`https://${fill('é', 60_000)}`)],
  'a page: labels': [403, () => page(`https://${fill('a.', 60_000)}com`)],
  'a preflight: an origin of Latin letters': [204, () => page(`https://${fill('é', 60_000)}`, 'OPTIONS')],
  'a preflight: Punycode': [204, () => page(`https://${fill('xn--a.', 60_000)}com`, 'OPTIONS')],
  'OAuth: ip': [400, () => oauth(`ip=${fill(',')}`)],
  'OAuth: scope': [400, () => oauth(`scope=${fill('a+')}`)],
  'OAuth: origin': [400, () => oauth(`origin=${encodeURIComponent(`https://${letters(1700)}`)}`)],
  'OAuth: resources': [400, () => oauth(list(1100, (index) => `&resource=a${index}`).replaceAll(',', ''))],
  'OAuth: an assertion of many parts': [
    401,
    () => form(formOf(asserting(fill('a.', 15_000))), '/oauth/token'),
  ],
  'OAuth: an assertion with many audiences': [
    401,
    () =>
      form(
        formOf(asserting(`${part('{"alg":"x"}')}.${part(`{"aud":[${list(2500, () => '"a"')}]}`)}.AAAA`)),
        '/oauth/token',
      ),
  ],
  'OAuth: a token of many parts': [401, () => form(`token=${fill('a.')}`, '/oauth/introspect')],
  'admin: one origin': [422, () => admin({ allowedOrigins: [`https://${letters(5000)}`] })],
  'admin: origins of the greatest length': [
    422,
    () =>
      admin({ allowedOrigins: Array.from({ length: 17 }, (_, index) => `https://${letters(280)}${index}`) }),
  ],
  'admin: origins that are numbers': [422, () => admin({ allowedOrigins: Array(7900).fill(1) })],
  'admin: empty origins': [422, () => admin({ allowedOrigins: Array(5000).fill('') })],
  'admin: a name': [422, () => admin({ name: fill('🌵', 15_000) })],
  'admin: empty scopes': [422, () => admin({ scopes: Array(5000).fill('') })],
  'admin: unknown members': [422, () => admin(`{${list(1700, (index) => `"k${index}":1`)}}`)],
  'admin: nested lists': [400, () => admin(fill('[', 8000) + fill(']', 8000))],
  'admin: a URL to explain': [422, () => explain({ url: `https://${letters(2000)}` })],
  'admin: an origin to explain': [200, () => explain({ origin: `https://${letters(2000)}` })],
  'a media type': [
    415,
    () => ({ ...form('a'), headers: { 'content-type': `application/json${fill(' ;', 60_000)}` } }),
  ],
}

test.each(Object.entries(rows))(
  '%s: hardly slower than an ordinary request',
  async (_, [status, request]) => {
    const measured = await measure(request(), longest())
    expect(measured.status).toBe(status)
    expect(measured.best).toBeLessThan(longest())
  },
)

test('a claim of an account with 100 long origins is hardly slower than an ordinary one', async () => {
  const allowedOrigins = Array.from(
    { length: 100 },
    (_, index) => `https://${'b.'.repeat(115)}x${index}.example`,
  )
  const { credential } = await createAccount(service, { name: 'Long list', allowedOrigins })
  const origin = `https://${'a.'.repeat(123)}com`
  const { status, best } = await measure(form(formOf({ token: credential.token, origin })), longest())
  expect(status).toBe(403)
  expect(best).toBeLessThan(longest())
})
