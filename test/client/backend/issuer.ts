// The issuers of these tests: the real server, and a simulated one on loopback.

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect } from 'vitest'
import { createClientSecret, formatAccountToken } from '../../../src/signing/secret.ts'
import { type Servers, useServers } from '../../support/server.ts'
import { type Json, sendToSocket } from '../../support/wire.ts'
import { createWorld, type World } from '../../support/world.ts'

export const API = 'https://api.example.com'
/** Thumbprint of RFC 7638 section 3.1. */
export const JKT = 'NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs'
/** A credential that is unknown to every issuer. */
export const PAIR = createClientSecret()
export const TOKEN = formatAccountToken(PAIR)

/** Starts the real server with an account. Call it at the top of a test file. */
export function useWorld(): () => World {
  const servers: Servers = useServers()
  let world: World
  beforeAll(async () => {
    const server = await servers.start()
    const send = (wire: Parameters<typeof sendToSocket>[1]) => sendToSocket(server.url, wire)
    world = await createWorld({ issuer: server.url, send, stop: server.stop })
  })
  return () => world
}

/** Answers one request to the simulated issuer. */
export type Reply = (request: IncomingMessage, response: ServerResponse) => void

export interface SimulatedIssuer {
  readonly url: string
  reply: Reply
  /** The requests that it got, oldest first. */
  readonly asked: {
    readonly path: string
    readonly headers: IncomingMessage['headers']
    readonly body: string
  }[]
}

/** Starts an issuer that answers with its `reply`. Call it at the top of a test file. */
export function useSimulatedIssuer(): SimulatedIssuer {
  const issuer = { url: '', reply: answer(500), asked: [] as SimulatedIssuer['asked'] }
  const server = createServer((request, response) => {
    let body = ''
    request.on('data', (chunk) => {
      body += chunk
    })
    request.on('end', () => {
      issuer.asked.push({ path: request.url ?? '', headers: request.headers, body })
      issuer.reply(request, response)
    })
  })
  beforeAll(async () => {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    issuer.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  })
  afterAll(() => {
    server.closeAllConnections()
    server.close()
  })
  return issuer
}

/** A reply with this body: text as it is, everything else as JSON. */
export function answer(status: number, body: unknown = '', headers: Record<string, string> = {}): Reply {
  return (_, response) => {
    response.writeHead(status, headers).end(typeof body === 'string' ? body : JSON.stringify(body))
  }
}

/** A valid answer to a claim. */
export const GOOD = { token: 'eyJhbGciOiJub25lIn0.e30.c2ln', tokenType: 'Bearer', expiresIn: 600 }

/** A loopback URL at which nothing listens. */
export async function closedUrl(): Promise<string> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return `http://127.0.0.1:${port}`
}

/** Fails when a text contains a secret in any form, or an account token. */
export function expectNoSecret(text: string, world?: World): void {
  const pairs = [PAIR, ...(world ? [world] : [])]
  for (const { clientId, clientSecret } of pairs) {
    expect(text).not.toContain(clientSecret)
    expect(text).not.toContain(btoa(`${clientId}:${clientSecret}`))
  }
  expect(text).not.toMatch(/cgk_[0-9A-Za-z]+_/)
}

/** The answer of `/auth/whoami` to a token that a page of `origin` sends. */
export async function whoami(world: World, token: string, origin: string): Promise<Json> {
  const headers = { authorization: `Bearer ${token}`, origin }
  const seen = await world.send({ method: 'GET', path: '/auth/whoami', headers })
  expect(seen.status, seen.text).toBe(200)
  return seen.json()
}
