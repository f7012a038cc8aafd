import { expect, test } from 'vitest'
import { parseMediaType } from '../../src/http/media-type.ts'

test.each([
  ['application/json', 'json'],
  ['APPLICATION/Json', 'json'],
  ['application/json;charset=utf-8', 'json'],
  ['application/json ; charset="UTF-8" ; x=y', 'json'],
  ['application/x-www-form-urlencoded', 'form'],
  ['application/x-www-form-urlencoded; charset=UTF-8', 'form'],
  ['application/x-www-form-urlencoded;charset=ISO-8859-1', 'ascii-form'],
  ['application/x-www-form-urlencoded; charset="us-ascii"', 'ascii-form'],
  ['application/x-www-form-urlencoded; charset=utf-8; charset=us-ascii', 'ascii-form'],
  ['application/x-www-form-urlencoded; charset=us-ascii; charset=utf-16', undefined],
  ['application/x-www-form-urlencoded; charset=windows-1252', undefined],
  ['application/x-www-form-urlencoded; charset=', undefined],
  ['application/json; charset=us-ascii', undefined],
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
