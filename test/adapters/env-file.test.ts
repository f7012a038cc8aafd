// The text of a `.env` file: what it may contain, and that everything else is reported with the number of its line.

import { parseEnv } from 'node:util'
import { describe, expect, test } from 'vitest'
import { parseEnvFile } from '../../src/adapters/node/env-file.ts'

/** The variables of a file, or its faults. Text is encoded as UTF-8. */
function parse(file: string | Uint8Array): unknown {
  const parsed = parseEnvFile(typeof file === 'string' ? new TextEncoder().encode(file) : file)
  return parsed.ok ? Object.fromEntries(parsed.value) : parsed.reason
}

function utf16(text: string, options: { readonly mark: boolean; readonly bigEndian?: boolean }): Uint8Array {
  const bytes = Buffer.from(`${options.mark ? '\ufeff' : ''}${text}`, 'utf16le')
  return options.bigEndian ? bytes.swap16() : bytes
}

describe('values', () => {
  test.each([
    '',
    '\n\n# a comment\n \t\n  # another\n',
    'A=1\nB=2',
    'A=1\r\nB=2\r\n',
    '  A = some words \t# a comment\n',
    'export A=1\nexport=2',
    'A=\nB=""\nC=\'\'',
    'A="a # b" # c\nB=\'a # b\'#c\nC=a # b\nD=a#b',
    'A=b=c==\nB=https://user:p@host/?x=1&y=2',
    'A=Tom\'s shop\nB=\'a "b" `c`\'\nC="it\'s"\nD=`it\'s "so"`',
    'A="first\nsecond # not a comment\n\nB=3"\nC=4',
    "A='first\r\nsecond'\r\nB=2\r\n",
    'A="one\\ntwo"\nB=\'one\\ntwo\'\nC=one\\ntwo',
    'A=1\nA=2',
    'A.b-c_9=1\n9=2',
    'NAME=Müller 漢字\nB="😀"',
  ])('%j means what it means to node --env-file', (text) => {
    expect(parse(text)).toEqual({ ...parseEnv(text) })
  })

  test('a byte order mark is not part of the first name', () => {
    expect(parse('\ufeffPORT=1\nHOST=2')).toEqual({ PORT: '1', HOST: '2' })
    expect(parse('\ufeff# comment\nPORT=1')).toEqual({ PORT: '1' })
    expect(parse('\ufeff')).toEqual({})
  })

  test('an empty value does not take the next line', () => {
    expect(parse('A= \nB=1')).toEqual({ A: '', B: '1' })
  })

  test('a comment in another encoding does no harm', () => {
    expect(parse(Buffer.from('# gr\xfc\xdfe\nA=1', 'latin1'))).toEqual({ A: '1' })
  })
})

describe('faults name the line', () => {
  const NEITHER = 'is neither NAME=value, nor a comment (# …), nor blank'
  test.each([
    ['A=1\nnonsense\nB=2', [[2, NEITHER]]],
    ['A=1\r\n\r\nB: 2\r\n', [[3, NEITHER]]],
    ['export A', [[1, NEITHER]]],
    ['=1', [[1, NEITHER]]],
    ['MY NAME=1', [[1, NEITHER]]],
    [
      '; A=1\n// B=2',
      [
        [1, NEITHER],
        [2, NEITHER],
      ],
    ],
    ['A="1\n2"\nB\n', [[3, NEITHER]]],
    ['A=1\n\nB="two\nC=3', [[3, 'has a quoted value without its closing quote']]],
    ["A='it's'", [[1, 'has text after the closing quote of its value; only a comment may follow']]],
    ['A="x"y', [[1, 'has text after the closing quote of its value; only a comment may follow']]],
    ['A=1\nB=\0\n', [[2, 'has a NUL character; save the file as UTF-8 text']]],
    ['A=1\nB="\n\0"\n', [[3, 'has a NUL character; save the file as UTF-8 text']]],
    ['A=1\n# \0', [[2, 'has a NUL character; save the file as UTF-8 text']]],
    [Buffer.from('A=1\nB=pass\xe9word', 'latin1'), [[2, 'is not UTF-8; save the file as UTF-8']]],
    [utf16('A=1\nB=2', { mark: true }), [[1, 'the file is UTF-16; save it as UTF-8']]],
    [utf16('A=1\nB=2', { mark: true, bigEndian: true }), [[1, 'the file is UTF-16; save it as UTF-8']]],
    [utf16('A=1\nB=2', { mark: false }), [[1, 'the file is UTF-16; save it as UTF-8']]],
    [utf16('A=1\nB=2', { mark: false, bigEndian: true }), [[1, 'the file is UTF-16; save it as UTF-8']]],
  ])('%j', (file, expected) => {
    expect(parse(file)).toEqual(expected.map(([line, problem]) => ({ line, problem })))
  })

  test('at most 20 of them are listed', () => {
    expect(parse('nonsense\n'.repeat(1000))).toHaveLength(20)
  })
})
