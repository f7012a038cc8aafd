// Properties of verification at GET /auth/whoami: a token with any changed byte is refused, every forgery gets the same
// answer, and valid tokens keep working.
// A failure prints its seed and path: repeat it with `fc.assert(…, { seed, path })`.

import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { bare, base64url, type Forging, partsOf, startForging } from '../support/forge.ts'

let forging: Forging

/** A change to the text of a token. Positions are fractions of its length. */
type Change = (token: string) => string
const at = (token: string, fraction: number): number => Math.floor(fraction * token.length)
const fraction = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
/** Any Latin-1 character that a header may contain, without the comma, which would separate two header values. */
const character = fc
  .integer({ min: 0x20, max: 0xff })
  .map((code) => String.fromCharCode(code === 0x2c ? 0x2e : code))
const parts = (change: (header: string, payload: string, signature: string) => readonly string[]): Change => {
  return (token) => change(...partsOf(token)).join('.')
}
const reencode = (index: number, change: (bytes: Buffer) => Uint8Array | string): Change => {
  return (token) => {
    const all = partsOf(token)
    all[index] = base64url(change(Buffer.from(all[index] ?? '', 'base64url')))
    return all.join('.')
  }
}
const part = fc.nat(2)
const change: fc.Arbitrary<Change> = fc.oneof(
  fc.tuple(part, fraction, fc.nat(7)).map(([index, where, bit]) =>
    reencode(index, (bytes) => {
      const position = Math.floor(where * bytes.length)
      bytes[position] = (bytes[position] ?? 0) ^ (1 << bit)
      return bytes
    }),
  ),
  fraction.map(
    (where): Change =>
      (token) =>
        token.slice(0, at(token, where)),
  ),
  fraction.map(
    (where): Change =>
      (token) =>
        token.slice(at(token, where)),
  ),
  fc.tuple(fraction, fraction).map(([one, other]): Change => {
    return (token) => token.slice(0, at(token, one)) + token.slice(at(token, other))
  }),
  fc.tuple(fraction, character).map(([where, inserted]): Change => {
    return (token) => token.slice(0, at(token, where)) + inserted + token.slice(at(token, where))
  }),
  fc.tuple(fraction, character).map(([where, other]): Change => {
    return (token) => token.slice(0, at(token, where)) + other + token.slice(at(token, where) + 1)
  }),
  fc
    .shuffledSubarray([0, 1, 2], { minLength: 1 })
    .map((order) => parts((...all) => order.map((i) => all[i] ?? ''))),
  part.map((index) => parts((...all) => [...all, all[index] ?? ''])),
  fc
    .tuple(part, fc.constantFrom('=', '==', 'A', 'AAAA', '.', '..'))
    .map(([index, tail]) =>
      parts((...all) => all.map((text, position) => (position === index ? text + tail : text))),
    ),
  part.map((index) => parts((...all) => all.map((text, position) => (position === index ? '' : text)))),
  part.map((index) => reencode(index, (bytes) => Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), bytes]))),
  part.map((index) => reencode(index, (bytes) => ` ${bytes.toString('latin1')}`)),
  part.map((index) => reencode(index, (bytes) => bytes.toString('base64'))),
  fc.constantFrom<Change>(
    // Of ASCII letters only, because others may become characters that no header can hold.
    (token) => token.replace(/[a-z]/g, (letter) => letter.toUpperCase()),
    (token) => [...token].reverse().join(''),
    (token) => `"${token}"`,
    (token) => `${token}${token}`,
    (token) => token.padEnd(5000, 'A'),
    (token) => JSON.stringify(Object.fromEntries(partsOf(token).map((text, index) => [index, text]))),
    parts((header, payload, signature) => [
      header,
      payload,
      Buffer.from(signature, 'base64url').toString('base64'),
    ]),
  ),
  fc.string({ unit: character, maxLength: 80 }).map((text) => parts(() => [text])),
)

describe.each(['ES256', 'EdDSA', 'HS256'] as const)('%s: a token that was changed', (alg) => {
  beforeAll(async () => {
    forging = await startForging(alg)
  })
  afterAll(() => forging.world.stop())

  test('is refused with the same answer as garbage', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(change, { minLength: 1, maxLength: 2 }),
        fc.boolean(),
        async (changes, isKnown) => {
          const token = isKnown ? forging.known : forging.fresh
          const text = changes.reduce(
            (changed, apply) => (changed.split('.').length === 3 ? apply(changed) : changed),
            token,
          )
          // HTTP trims spaces at both ends of a header value.
          fc.pre(text.replace(/^[\t ]+|[\t ]+$/g, '') !== token)
          const answer = await forging.present(text)
          // HTTP joins repeated headers with commas.
          if (text.includes(',')) expect([400, 401]).toContain(answer.status)
          else expect(bare(answer)).toBe(forging.garbage)
          expect(bare(await forging.presentInQuery(text))).toBe(forging.garbage)
        },
      ),
      { numRuns: 700 },
    )
  })

  test('is refused with one bit flipped, in each of its bytes', async () => {
    const { known } = forging
    const expectRefused = async (position: number): Promise<void> => {
      const flipped = String.fromCharCode(known.charCodeAt(position) ^ 1)
      const text = known.slice(0, position) + flipped + known.slice(position + 1)
      expect(bare(await forging.presentInQuery(text)), `at ${position}`).toBe(forging.garbage)
    }
    // 50 at a time, because the service waits for a look-up of new keys when it does not know a kid.
    const positions = Array.from(known, (_, position) => position)
    while (positions.length > 0) await Promise.all(positions.splice(0, 50).map(expectRefused))
  })

  test('and is sent a thousand times does not affect valid tokens', async () => {
    for (let count = 0; count < 1000; count += 1) {
      const end = base64url(String(count).padStart(4, '0'))
      expect((await forging.present(forging.fresh.slice(0, -end.length) + end)).status).toBe(401)
    }
    expect((await forging.present(forging.fresh)).status).toBe(200)
    expect((await forging.present(forging.known)).status).toBe(200)
    expect((await forging.presentInQuery(forging.known)).status).toBe(200)
  })
})
