// Mistakes on the way to a token: in the customer's backend, and in the page. The issuer is a real server.

import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import {
  type ClaimClientOptions,
  type ClientTokenEndpointOptions,
  createClaimClient,
  createClientTokenEndpoint,
  loadConfig,
} from '../../src/client/backend/index.ts'
import { createTokenSource } from '../../src/client/browser/index.ts'
import { detailOf, type Mistake, messageOf, testMistakes } from '../support/mistake.ts'
import { useServers } from '../support/server.ts'
import { sendToSocket } from '../support/wire.ts'
import { claimToken, createWorld, SITE, type World } from '../support/world.ts'

const { start } = useServers()
let world: World
/** A web server that answers everything with a page, as the server of a single-page application does. */
let pages: Server
let pagesUrl: string
beforeAll(async () => {
  const server = await start({ env: { CLAIMGATE_LOG: 'info' } })
  const send = (wire: Parameters<typeof sendToSocket>[1]) => sendToSocket(server.url, wire)
  world = await createWorld({ issuer: server.url, send, stop: server.stop })
  readLog = server.stdout
  pages = createServer((_, response) => {
    response.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html><title>Shop</title>')
  })
  await new Promise<void>((resolve) => pages.listen(0, '127.0.0.1', resolve))
  pagesUrl = `http://127.0.0.1:${(pages.address() as AddressInfo).port}`
})
afterAll(() => new Promise((resolve) => pages.close(resolve)))
let readLog: () => string

const FORM = 'application/x-www-form-urlencoded'
const API = 'https://api.example.com'
const URI = 'https://www.example.com/api/client-token'

/** Sends this body to the claim. */
const claim = (body: string, headers: Record<string, string>): Promise<Response> =>
  fetch(`${world.issuer}/auth/claim`, { method: 'POST', body, headers })
const claimJson = (members: object, headers: Record<string, string> = {}): Promise<Response> =>
  claim(JSON.stringify(members), { 'content-type': 'application/json', ...headers })

/** What a request of a page at a client-token endpoint gets, and what its onError was told. */
async function askEndpoint(
  client: object,
  options: Partial<ClientTokenEndpointOptions> = {},
  headers: Record<string, string> = { origin: SITE },
): Promise<{ readonly detail: string; readonly told: string }> {
  const told: string[] = []
  const onError = (error: Error): void => void told.push(error.message)
  const endpoint = createClientTokenEndpoint(createClaimClient(client as ClaimClientOptions), {
    authenticate: 'public',
    baseUrl: API,
    onError,
    ...options,
  })
  const detail = await detailOf(endpoint(new Request(URI, { method: 'POST', headers })))
  return { detail, told: told.join('; ') }
}

/** The error of a page whose token endpoint is at this URL. The globals are those that tell a page from a server. */
async function askFromPage(clientTokenUri: string): Promise<string> {
  vi.stubGlobal('location', new URL(SITE))
  vi.stubGlobal('document', new EventTarget())
  for (const name of ['addEventListener', 'removeEventListener']) vi.stubGlobal(name, () => undefined)
  const source = createTokenSource({ clientTokenUri, fetch: (input, init) => fetch(input, init) })
  try {
    return await messageOf(() => source.getToken())
  } finally {
    source.close()
    vi.unstubAllGlobals()
  }
}

const mistakes: readonly Mistake[] = [
  {
    mistake: 'a wrong media type',
    make: () =>
      detailOf(claim(JSON.stringify({ token: world.token, origin: SITE }), { 'content-type': 'text/plain' })),
    names: /Content-Type/,
    advises: /^send .*application\/json or application\/x-www-form-urlencoded/,
  },
  {
    mistake: 'JSON sent as a form, as curl -d does',
    make: () =>
      detailOf(claim(JSON.stringify({ token: world.token, origin: SITE }), { 'content-type': FORM })),
    names: /Content-Type says that it is a form/,
    advises: /send Content-Type: application\/json/,
  },
  {
    mistake: 'JSON sent as a form, with the account token in a header',
    make: () =>
      detailOf(
        claim(JSON.stringify({ origin: SITE }), {
          'content-type': FORM,
          authorization: `Bearer ${world.token}`,
        }),
      ),
    names: /Content-Type says that it is a form/,
    advises: /send Content-Type: application\/json/,
  },
  {
    mistake: 'a form sent as JSON',
    make: () =>
      detailOf(claim(`token=${world.token}&origin=${SITE}`, { 'content-type': 'application/json' })),
    names: /the body looks like a form, and its Content-Type says that it is JSON/,
    advises: /send Content-Type: application\/x-www-form-urlencoded/,
  },
  {
    mistake: 'JSON sent to the OAuth token endpoint',
    make: async () => {
      const answer = await fetch(`${world.issuer}/oauth/token`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ grant_type: 'client_credentials' }),
      })
      return (await answer.json()).error_description
    },
    names: /Content-Type/,
    advises: /^send .*application\/x-www-form-urlencoded/,
  },
  {
    mistake: 'an origin that the account does not list',
    make: () => detailOf(claimJson({ token: world.token, origin: 'https://shop.example' })),
    names: /the account does not list this origin/,
    advises: /add it to the allowed origins of the account/,
  },
  {
    mistake: 'a secret in a page',
    make: () => detailOf(claimJson({ token: world.token, origin: SITE }, { origin: SITE })),
    names: /a secret must not be in a page/,
    advises: /Ask for the token on your server/,
  },
  {
    mistake: 'a secret in a page, whose browser asks for permission first',
    make: async () => {
      await fetch(`${world.issuer}/auth/claim`, {
        method: 'OPTIONS',
        headers: {
          origin: 'https://shop.example',
          'access-control-request-method': 'POST',
          'access-control-request-headers': 'content-type',
        },
      })
      await expect.poll(readLog).toContain('https://shop.example')
      return readLog()
        .split('\n')
        .filter((line) => line.includes('https://shop.example'))
        .join()
    },
    names: /a page tried to use a secret.*"origin":"https:\/\/shop\.example"/,
    advises: /claim tokens on a server, and replace the secret/,
  },
  {
    mistake: 'a browser token in place of an account token',
    make: async () => detailOf(claimJson({ token: await claimToken(world), origin: SITE })),
    names: /this is a browser token/,
    advises: /send the account token, which begins with the prefix cgk_/,
  },
  {
    mistake: "an endpoint of a customer's backend without configuration",
    make: async () => (await askEndpoint(loadConfig({}))).told,
    names: /CLAIMGATE_ISSUER.*CLAIMGATE_ACCOUNT_TOKEN/,
    advises: /set the option issuer .* set the option token/,
  },
  {
    mistake: "an endpoint of a customer's backend without the URL of the API",
    make: () =>
      messageOf(() => askEndpoint({ issuer: world.issuer, token: world.token }, { baseUrl: undefined })),
    names: /^baseUrl: /,
    advises: /CLAIMGATE_API_URL/,
  },
  {
    mistake: "a browser token in the configuration of a customer's backend",
    make: async () => (await askEndpoint({ issuer: world.issuer, token: await claimToken(world) })).told,
    names: /401 unauthorized: this is a browser token/,
    advises: /account token, which begins with the prefix cgk_/,
  },
  {
    mistake: 'a page of another origin, and allowedOrigins forgotten',
    make: async () => {
      const headers = { origin: 'http://localhost:5173', 'sec-fetch-site': 'cross-site' }
      return (await askEndpoint({ issuer: world.issuer, token: world.token }, {}, headers)).detail
    },
    names: /pages of this origin get no token/,
    advises: /allowedOrigins of this endpoint; without that list, only pages of its own origin/,
  },
  {
    mistake: 'a page whose origin the endpoint does not list',
    make: async () => {
      const options = { allowedOrigins: ['http://localhost:5173'] }
      return (await askEndpoint({ issuer: world.issuer, token: world.token }, options)).detail
    },
    names: /pages of this origin get no token/,
    advises: /not among the allowedOrigins of this endpoint/,
  },
  {
    mistake: 'a page whose origin the endpoint lists and the account does not',
    make: async () => {
      const options = { allowedOrigins: ['https://shop.example'] }
      const headers = { origin: 'https://shop.example' }
      const { detail, told } = await askEndpoint(
        { issuer: world.issuer, token: world.token },
        options,
        headers,
      )
      expect(told).toMatch(/origin_not_allowed: the account does not list this origin/)
      return detail
    },
    names: /pages of this origin get no token/,
    advises: /ask the API provider to add their origin to the account/,
  },
  {
    mistake: 'http in place of https for the issuer',
    make: () => messageOf(() => createClaimClient({ issuer: 'http://auth.example.com', token: world.token })),
    names: /^issuer: /,
    advises: /must be an https URL/,
  },
  {
    mistake: 'the URL of a web site in place of the issuer',
    make: async () => (await askEndpoint({ issuer: pagesUrl, token: world.token })).told,
    names: /the issuer answered 200 .*option issuer \(variable CLAIMGATE_ISSUER\)/,
    advises: /check that .* is the URL of the issuer itself/,
  },
  {
    mistake: 'a path after the issuer',
    make: async () => (await askEndpoint({ issuer: `${world.issuer}/auth/claim`, token: world.token })).told,
    names: /the issuer answered 404 not_found/,
    advises: /check that the option issuer \(variable CLAIMGATE_ISSUER\)/,
  },
  {
    mistake: 'HTML in place of JSON from the token endpoint, in a page',
    make: () => askFromPage(`${pagesUrl}/api/client-token`),
    names: /the token endpoint/,
    advises: /sent no bearer token/,
  },
]

testMistakes(mistakes)

test('an issuer with a slash at its end is no mistake', async () => {
  const client = createClaimClient({ issuer: `${world.issuer}/`, token: world.token })
  expect((await client.claim({ origin: SITE })).origin).toBe(SITE)
})
