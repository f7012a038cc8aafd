// The maximum length of origins, scopes and addresses in requests, exact to the character.

import { expect, test } from 'vitest'
import { readIpTexts, readOriginText, readScopeText } from '../../src/claims/input/caller-text.ts'
import { parseOriginPattern, patternsMatching } from '../../src/claims/origin-pattern.ts'

const SITE = 'https://park.example'
const originOf = (length: number) => `${SITE}/${'p'.repeat(length - SITE.length - 1)}`
const appOf = (length: number) => `${'a'.repeat(length - 5)}://xy`

test('an origin may have 300 characters', () => {
  expect(readOriginText(originOf(300))).toEqual({ ok: true, value: { kind: 'web', origin: SITE } })
  expect(readOriginText(originOf(301))).toEqual({ ok: false, reason: 'must have at most 300 characters' })
  expect(readOriginText(appOf(300)).ok).toBe(true)
  expect(readOriginText(appOf(301)).ok).toBe(false)
})

test('an allowed origin may have 300 characters', () => {
  const parse = (text: string) => parseOriginPattern(text, () => false)
  expect(parse(appOf(300))).toEqual({ ok: true, value: appOf(300) })
  expect(parse(appOf(301))).toEqual({ ok: false, reason: 'an allowed origin has at most 300 characters' })
  expect(patternsMatching(appOf(300))).toEqual([appOf(300)])
  expect(patternsMatching(appOf(301))).toEqual([])
})

test('all scopes together may have 1024 characters', () => {
  const scopes = `read ${'s'.repeat(1019)}`
  expect(readScopeText(scopes)).toEqual({ ok: true, value: ['read', 's'.repeat(1019)] })
  expect(readScopeText(`${scopes}s`)).toEqual({ ok: false, reason: 'must have at most 1024 characters' })
  expect(readScopeText(`read${' '.repeat(1021)}`).ok).toBe(false)
})

test('a list of addresses may have 256 characters, commas included', () => {
  // Equal addresses count once, so that only the length can be refused.
  const many = Array.from({ length: 32 }, () => '10.0.0.7')
  const texts = (entries: readonly string[]) => {
    const read = readIpTexts(entries)
    return read.ok ? read.value : read.reason
  }
  expect(many.slice(4).join().length).toBe(251)
  expect(texts(many.slice(4))).toEqual(['10.0.0.7'])
  expect(texts([...many.slice(5), '10.0.0.7/32', '::1'].slice(1))).toEqual(['10.0.0.7', '::1'])
  expect(texts([...many.slice(4), '::12'])).toEqual(['10.0.0.7', '::12'])
  expect(texts([...many.slice(4), '::123'])).toBe('must have at most 256 characters')
  expect(texts(['1'.repeat(257)])).toBe('must have at most 256 characters')
  expect(texts(Array(258).fill(''))).toBe('must have at most 256 characters')
})
