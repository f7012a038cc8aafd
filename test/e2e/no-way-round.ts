// No request without a token reaches the API behind a real proxy, however malformed it is.

import { connect } from 'node:net'
import { beforeAll, describe, expect, test } from 'vitest'
import { preflights } from '../support/preflights.ts'
import { CLIENT, isInstalled, type ProxyKind, useProxyWorld } from './proxy-world.ts'
import { tokenless, toRequest } from './tokenless.ts'

/** Registers a test for every row of {@link tokenless} behind one proxy. They are skipped when it is not installed. */
export function describeNoWayRound(kind: ProxyKind): void {
  describe.skipIf(!isInstalled(kind))(`without a token behind ${kind.command}`, () => {
    const world = useProxyWorld(kind)
    let port: number
    beforeAll(async () => {
      port = await world.startProxy()
    })

    test('without claimgate a request reaches the API, so the tests below can fail', async () => {
      const open = await world.startProxy(kind.open)
      expect(await sendHead(open, ['GET /orders HTTP/1.1', 'Host: api.example.net'])).toBe(201)
      expect(world.seen).toHaveLength(1)
    })

    test.each(tokenless)('a request without a token does not reach the API: $name', async ({ lines }) => {
      const status = await sendHead(port, lines)
      expect(world.seen).toEqual([])
      // The status is undefined when the proxy closed the connection without an answer. An OPTIONS * is a request about the
      // proxy itself, which proxies written in Go answer with 200.
      const isAboutProxy = lines[0]?.startsWith('OPTIONS * ')
      if (status !== undefined && !isAboutProxy) expect(status).toBeGreaterThanOrEqual(400)
    })

    test.each(preflights.map(toRequest))(
      'a preflight is answered and does not reach the API: $name',
      async ({ lines }) => {
        expect([200, 204]).toContain(await sendHead(port, lines))
        expect(world.seen).toEqual([])
      },
    )
  })
}

/** Sends a head. Resolves to the status of the answer; undefined if the connection ends, or 3 seconds pass, without one. */
function sendHead(port: number, lines: readonly string[]): Promise<number | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port, localAddress: CLIENT })
    let text = ''
    const finish = () => {
      socket.destroy()
      const status = /^HTTP\/\d\.\d (\d{3})/.exec(text)?.[1]
      resolve(status === undefined ? undefined : Number(status))
    }
    socket.setTimeout(3000, finish)
    socket.on('data', (chunk) => {
      text = (text + chunk.toString('latin1')).replace(/^HTTP\/1\.1 100 [\s\S]*?\r\n\r\n/, '')
      if (text.includes('\r\n\r\n')) finish()
    })
    socket.on('error', finish)
    socket.on('close', finish)
    socket.write(Buffer.from([...lines, '', ''].join('\r\n'), 'latin1'))
  })
}
