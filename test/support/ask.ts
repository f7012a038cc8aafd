// Sends one request to the service in this process, and checks what must be true of every answer.

import { expect } from 'vitest'
import type { AppDeps } from '../../src/wiring/deps.ts'
import { type MemoryService, startMemory } from './memory.ts'
import type { WireAnswer, WireRequest } from './wire.ts'
import { createWorld, type World } from './world.ts'

export interface Asking {
  readonly service: MemoryService
  readonly world: World
  /** Sends a request. Rejects on a 5xx, on an error that is not a problem document, and on a secret in answer or log. */
  ask(request: WireRequest): Promise<WireAnswer>
}

/** Starts a service in this process. Rate limits are off, loopback proxies are trusted, and every request is logged. */
export async function startAsking(
  env: Readonly<Record<string, string>> = {},
  replace: Partial<AppDeps> = {},
): Promise<Asking> {
  const service = await startMemory(
    { CLAIMGATE_RATE_LIMIT: 'off', CLAIMGATE_TRUSTED_PROXIES: 'loopback', CLAIMGATE_LOG: 'debug', ...env },
    replace,
  )
  const world = await createWorld(service)
  const secrets = [world.token, world.clientSecret, world.wrong, world.open]
  return {
    service,
    world,
    async ask(request) {
      const linesBefore = service.lines.length
      const answer = await world.send(request)
      expectSound(request, answer)
      const written = [...answer.headers.values(), ...service.lines.slice(linesBefore)]
      // Successful admin answers are not searched: they show account names, and a name may be any text, even a secret.
      if (answer.status >= 400 || !request.path.startsWith('/admin')) written.push(answer.text)
      for (const text of written) {
        for (const secret of secrets) expect(text.includes(secret), `echo: ${text}`).toBe(false)
      }
      return answer
    },
  }
}

function expectSound({ method, path }: WireRequest, answer: WireAnswer): void {
  const { status, headers, text } = answer
  const shown = `${method} ${path}: ${status} ${text}`
  expect(status, shown).toBeLessThan(500)
  const requestId = headers.get('x-request-id')
  expect(requestId, shown).toMatch(/^[0-9A-Za-z]{16}$/)
  if (status < 400 || method === 'HEAD') return
  expect(headers.get('content-type'), shown).toBe('application/problem+json')
  expect(answer.json()).toMatchObject({ status, error: expect.stringMatching(/^[a-z_]+$/), requestId })
}
