// The tests of attacks. Requests that an attacker makes without a browser are made by the lab, for real.

import { find, sleep } from './dom.ts'
import { latestDecision, readDecisions } from './log.ts'
import type { Report, Step } from './report.ts'
import { api, askLab, callPlainly, describeCall, getToken, readClaims, thief, type World } from './world.ts'

type Expected = Step['expected']

const REVOKED_WITHIN_MS = 5000
const ASK_AGAIN_MS = 200

const passes: Expected = { status: 200, kind: 'ok' }
const refused = (code: string, status = 401): Expected => ({ status, code, kind: 'refused' })

/** Tests of attacks, by the id of their card. */
export function listAttacks(world: World): Readonly<Record<string, (report: Report) => Promise<void>>> {
  /** One request that the attacker makes without a browser. */
  async function attack(
    report: Report,
    name: string,
    stolen: { readonly token?: string; readonly proof?: string },
    told: { readonly title: string; readonly expected: Expected; readonly says: string },
  ): Promise<void> {
    const { command, status, code, detail } = await askLab('attack', { name, ...stolen })
    const notes = detail === null ? [] : ([['The attacker is told', detail]] as const)
    report.step({ ...told, request: command, status, code, notes })
  }

  return {
    async site(report) {
      const before = await latestDecision()
      const token = await getToken('/api/plain-token')
      const saw = await tryInFrame(token)
      const entries = (await readDecisions(before)).filter(({ origin }) => origin === thief)
      const preflight = entries.find(({ outcome }) => outcome === 'preflight')
      const others = entries.filter(({ outcome }) => outcome !== 'preflight')
      const byQuery = others.find(({ path }) => path.includes('?'))
      const isBarred = preflight !== undefined && others.every((entry) => entry === byQuery)
      report.step({
        title: 'With the token in a header',
        request: `GET ${api}/plants\nOrigin: ${thief}  (by the browser)\nAuthorization: Bearer ${token}`,
        status: 0,
        code: isBarred && isHidden(saw.header) ? 'blocked' : 'not blocked',
        expected: { status: 0, code: 'blocked', kind: 'refused' },
        says: 'The browser asked the API first (a preflight) and got no permission for this site, so the token was never sent.',
        notes: [['The thief’s page sees', saw.header]],
      })
      report.step({
        title: 'With the token in the query',
        request: `GET ${api}/plants?token=${token}\nOrigin: ${thief}  (by the browser)`,
        status: byQuery?.status ?? 0,
        code: isHidden(saw.query) ? (byQuery?.code ?? null) : 'readable',
        expected: refused('origin_mismatch'),
        says: 'This needs no permission, so the request arrived. The API refused it, and the browser hid even the refusal.',
        notes: [['The thief’s page sees', saw.query]],
      })
    },

    async script(report) {
      await attack(
        report,
        'forge-origin',
        { token: await getToken('/api/plain-token') },
        {
          title: 'A token that is bound to the origin only',
          expected: { status: 200, kind: 'through' },
          says: 'The attacker gets in. Only browsers cannot forge an origin; a script can. Bind tokens to a key too.',
        },
      )
      await world.call('/plants')
      await attack(
        report,
        'omit-proof',
        { token: world.last().token },
        {
          title: 'The token of this page, bound to a key too',
          expected: refused('proof_required'),
          says: 'Without a proof by this browser’s key the token is worthless.',
        },
      )
    },

    async elsewhere(report) {
      const { token, address } = await askLab('neighbour')
      await attack(
        report,
        'forge-origin',
        { token },
        {
          title: 'From here',
          expected: refused('ip_mismatch'),
          says: `The token is for ${address}, and the connection comes from another address.`,
        },
      )
      await attack(
        report,
        'forge-address',
        { token },
        {
          title: 'From here, with a forged header',
          expected: refused('ip_mismatch'),
          says: 'The API believes that header from proxies it was told to trust, and from nobody else.',
        },
      )
    },

    async replay(report) {
      const { status, code } = await world.call('/plants')
      const { token, proof, text } = world.last()
      report.step({
        title: 'This page makes a request',
        request: text,
        status,
        code,
        expected: passes,
        says: 'The attacker records the whole request.',
      })
      await attack(
        report,
        'replay-proof',
        { token, proof },
        {
          title: 'The attacker sends it again',
          expected: refused('invalid_proof'),
          says: 'A proof works for one request. This one was used.',
        },
      )
    },

    async forge(report) {
      await world.call('/plants')
      await attack(
        report,
        'own-key',
        { token: world.last().token },
        {
          title: 'A new proof for the stolen token',
          expected: refused('invalid_proof'),
          says: 'The token names the key that must sign, and the attacker does not have it.',
        },
      )
    },

    async late(report) {
      const token = await getToken('/api/short-token')
      const request = describeCall(token)
      const first = await callPlainly(token)
      report.step({
        ...first,
        title: 'Right away',
        request,
        expected: passes,
        says: 'The request comes from this page, so only the lifetime limits the attacker.',
      })
      const { exp } = readClaims(token)
      for (let left = 1; left > 0; ) {
        left = Math.ceil(exp - Date.now() / 1000)
        if (left > 0) report.wait(`The token lives for another ${left} s.`)
        await sleep(Math.max(50, (exp * 1000 - Date.now()) % 1000))
      }
      const second = await callPlainly(token)
      report.step({
        ...second,
        title: 'After its ten seconds',
        request,
        expected: refused('token_expired'),
        says: 'The same request from the same page. The token has expired.',
      })
    },

    async revoked(report) {
      const token = await getToken('/api/plain-token')
      const request = describeCall(token)
      report.step({
        ...(await callPlainly(token)),
        title: 'Before',
        request,
        expected: passes,
        says: 'The token is good for another five minutes.',
      })
      await askLab('revoke', { jti: readClaims(token).jti })
      const revokedAt = performance.now()
      report.wait('Revoked. Asking the API again and again.')
      let answer = await callPlainly(token)
      while (answer.status === 200 && performance.now() - revokedAt < REVOKED_WITHIN_MS) {
        await sleep(ASK_AGAIN_MS)
        answer = await callPlainly(token)
      }
      const seconds = ((performance.now() - revokedAt) / 1000).toFixed(1)
      report.step({
        ...answer,
        title: 'After it was revoked',
        request,
        expected: refused('token_revoked'),
        says: `Refused ${seconds} s after the issuer had been told, with minutes left on the token.`,
      })
    },

    async ask(report) {
      await attack(
        report,
        'ask-openly',
        {},
        {
          title: 'From the attacker’s own site',
          expected: refused('origin_not_allowed', 403),
          says: 'The shop gives tokens to its own pages.',
        },
      )
      await attack(
        report,
        'ask-in-disguise',
        {},
        {
          title: 'As if it were a page of the shop',
          expected: refused('unauthorized'),
          says: 'The endpoint requires a signed-in visitor, and the attacker does not have a visitor’s session cookie.',
        },
      )
    },
  }
}

/** Whether the browser hid the answer: `fetch` then rejects with a TypeError. */
function isHidden(saw: string): boolean {
  return saw.startsWith('TypeError')
}

/** Gives a token to the thief's page and resolves to what that page could read. */
function tryInFrame(token: string): Promise<{ readonly header: string; readonly query: string }> {
  const frame = find('site').querySelector('iframe')
  if (!frame) throw new Error('the card has no frame')
  const { promise, resolve, reject } = Promise.withResolvers<{ header: string; query: string }>()
  const listen = ({ data, origin }: MessageEvent): void => {
    if (origin !== thief) return
    if (data.ready) frame.contentWindow?.postMessage({ api, token }, thief)
    else resolve(data)
  }
  addEventListener('message', listen)
  const timer = setTimeout(() => reject(new Error('the thief’s site does not answer')), 10_000)
  frame.hidden = false
  frame.src = `${thief}/`
  return promise.finally(() => {
    clearTimeout(timer)
    removeEventListener('message', listen)
  })
}
