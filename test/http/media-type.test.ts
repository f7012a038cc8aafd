import { expect, test } from 'vitest'
import { parseMediaType } from '../../src/http/media-type.ts'

test.each([
  ['application/json', 'json'],
  ['APPLICATION/Json', 'json'],
  ['application/json;charset=utf-8', 'json'],
  ['application/json ; charset="UTF-8" ; x=y', 'json'],
  ['application/x-www-form-urlencoded', 'form'],
  ['application/x-www-form-urlencoded; charset=UTF-8', 'form'],
  [null, undefined],
  ['', undefined],
  ['text/plain', undefined],
  ['application/jsonp', undefined],
  ['application/json; charset=iso-8859-1', undefined],
  ['application/json; charset=utf-8; charset=latin1', undefined],
  ['application/json; charset', undefined],
  ['application/json;', 'json'],
  ['application/json; ;charset=utf-8', 'json'],
  ['application/json, text/plain', undefined],
  ['multipart/form-data; boundary=x', undefined],
  ['__proto__', undefined],
  ['constructor', undefined],
])('%j is read as %s', (header, kind) => {
  expect(parseMediaType(header)).toBe(kind)
})
