// Shows the claims of the page's token with a short explanation of each, and the remaining lifetime.

import { find, make } from './dom.ts'
import { readClaims } from './world.ts'

const meanings: Readonly<Record<string, string>> = {
  origin: 'only from pages of this web site',
  ip: 'only from this address',
  cnf: 'only with the key of this browser',
  exp: 'only until this time',
  scope: 'only for these operations',
  sub: 'the customer’s account',
  jti: 'the id of this token, to revoke it',
}

let shown = ''
let lifetime = { iat: 0, exp: 0 }

/** Shows a token, unless it is shown already. */
export function showToken(token: string): void {
  if (token === shown) return
  shown = token
  const claims = readClaims(token)
  lifetime = claims
  const texts: Readonly<Record<string, string | undefined>> = {
    origin: claims.origin,
    ip: claims.ip,
    cnf: claims.cnf && `jkt ${claims.cnf.jkt.slice(0, 12)}…`,
    exp: new Date(claims.exp * 1000).toLocaleTimeString(),
    scope: claims.scope,
    sub: claims.sub,
    jti: claims.jti.length > 22 ? `${claims.jti.slice(0, 21)}…` : claims.jti,
  }
  const rows = Object.entries(texts).map(([name, text]) =>
    make(
      'div',
      {},
      make('dt', {}, make('code', {}, name), make('span', {}, meanings[name] ?? '')),
      make('dd', {}, make('code', {}, text ?? 'none')),
    ),
  )
  find('claims').replaceChildren(...rows)
  const [header = '', payload = '', signature = ''] = token.split('.')
  find('raw').replaceChildren(
    make('span', { title: 'header' }, `${header.slice(0, 14)}…`),
    '.',
    make('span', { title: 'claims' }, `${payload.slice(0, 26)}…${payload.slice(-6)}`),
    '.',
    make('span', { title: 'signature' }, `${signature.slice(0, 10)}…${signature.slice(-6)}`),
  )
  find('panel').classList.remove('fresh')
  requestAnimationFrame(() => find('panel').classList.add('fresh'))
  tick()
}

/** Shows why there is no token. */
export function showFailure(message: string): void {
  find('left').textContent = `No token: ${message}`
}

function tick(): void {
  const total = lifetime.exp - lifetime.iat
  if (total <= 0) return
  const left = Math.max(0, lifetime.exp - Date.now() / 1000)
  find('left').textContent = `${Math.ceil(left)} s left`
  find('of').textContent = `of ${total} s`
  find('bar').style.transform = `scaleX(${left / total})`
}

/** Updates the remaining lifetime twice a second. */
export function startPanel(): void {
  setInterval(tick, 500)
}
