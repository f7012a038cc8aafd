// The tests of requests that must succeed.

import type { Plant } from '../plants.ts'
import { sleep } from './dom.ts'
import type { Report } from './report.ts'
import { api, askLab, readClaims, readProof, site, type World } from './world.ts'

interface Catalogue {
  readonly data: readonly Plant[]
  readonly total: number
}

const TURN_MS = 250
const MAX_TURNS = 20

/** Tests of requests that must succeed, by the id of their card. */
export function listWorks(world: World): Readonly<Record<string, (report: Report) => Promise<void>>> {
  /** One call by the page's own client; `says` makes the sentence for a 200. */
  async function call<Body>(
    report: Report,
    path: string,
    title: string,
    says: (body: Body) => string,
  ): Promise<void> {
    const { status, code, body } = await world.call<Body>(path)
    const expected = { status: 200, kind: 'ok' } as const
    const isFine = status === 200
    report.step({ title, request: world.last().text, status, code, expected, says: isFine ? says(body) : '' })
  }

  return {
    origin: (report) =>
      call<Catalogue>(report, '/plants', 'The page asks for the catalogue', ({ data, total }) => {
        const names = data.slice(0, 3).map(({ name }) => name.toLowerCase())
        return `Request and token both say ${site}. ${total} plants came: ${names.join(', ')} and more.`
      }),

    address: (report) =>
      call<{ data: Plant }>(report, '/plants/3', 'The page asks for one plant', ({ data }) => {
        const { ip } = readClaims(world.last().token)
        return `The token says ${ip}, and that is where the request comes from. It is the ${data.name.toLowerCase()}, ${data.species}.`
      }),

    async key(report) {
      for (const [title, id] of [
        ['One call', 1],
        ['And another', 2],
      ] as const) {
        await call(report, `/plants/${id}`, title, () => {
          const { htm, htu, jti } = readProof(world.last().proof)
          return `The proof number ${jti.slice(0, 8)} is for ${htm} ${htu.replace(api, '')}, once.`
        })
      }
    },

    async renewal(report) {
      await call(report, '/plants/5', 'With the token of now', () => {
        return `The number of its token begins with ${nameOf(world)}.`
      })
      const { token } = world.last()
      await askLab('revoke', { jti: readClaims(token).jti })
      report.wait('Revoked. Waiting until the API has heard of it.')
      for (let turns = 0; turns < MAX_TURNS && world.last().token === token; turns++) {
        await sleep(TURN_MS)
        await world.call('/plants/5')
      }
      await call(report, '/plants/5', 'After it was revoked', () => {
        if (world.last().token === token) throw new Error('the revoked token is still in use')
        return `The client heard 401, fetched a token whose number begins with ${nameOf(world)}, and repeated the call.`
      })
    },
  }
}

function nameOf(world: World): string {
  return `${readClaims(world.last().token).jti.slice(0, 8)}`
}
