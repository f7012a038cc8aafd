// Pages of listings. A request names a limit and a cursor; the cursor says where the previous page ended.

import * as z from 'zod'
import { parseForm, queryOf } from '../http/form.ts'
import type { ParameterFault } from '../http/problem.ts'
import { fail, ok, type Result } from '../lib/result.ts'
import type { Position } from '../storage/storage.ts'

/** The page of a listing that a request asks for. */
export interface PageRequest {
  readonly limit: number
  /** Position of the last record of the previous page; undefined for the first page. */
  readonly after: Position | undefined
}

const DEFAULT_LIMIT = 50

/** The form of account ids in cursors. */
export const ACCOUNT_ID: RegExp = /^acct_[0-9A-Za-z]+$/

/** The form of audit entry ids in cursors. */
export const AUDIT_ID: RegExp = /^[0-9A-Za-z]{16}$/

/** The form of revocation ids in cursors. */
export const REVOCATION_ID: RegExp = /^[\w-]{1,128}$/

const cursorShape = z.tuple([z.int().min(0), z.string()])

/**
 * Reads `limit` (1 to 200, default 50) and `cursor` from the query of a URL. `idForm`: the form of the ids that cursors of
 * this listing hold. Other parameters are ignored.
 */
export function parsePage(url: string, idForm: RegExp): Result<PageRequest, readonly ParameterFault[]> {
  const faults: ParameterFault[] = []
  const pairs = parseForm(queryOf(url))
  if (pairs === undefined) return fail([{ parameter: 'query', message: 'has malformed percent-encoding' }])
  const query = new Map(pairs)
  for (const name of ['limit', 'cursor']) {
    if (pairs.filter(([given]) => given === name).length > 1) {
      faults.push({ parameter: name, message: 'must be given only once' })
    }
  }
  const limitText = query.get('limit') ?? String(DEFAULT_LIMIT)
  const limit = /^[1-9]\d{0,2}$/.test(limitText) ? Number(limitText) : 0
  if (limit < 1 || limit > 200)
    faults.push({ parameter: 'limit', message: 'must be a whole number from 1 to 200' })
  const cursor = query.get('cursor')
  const after = cursor === undefined ? undefined : parseCursor(cursor, idForm)
  if (cursor !== undefined && after === undefined) {
    faults.push({ parameter: 'cursor', message: 'must be the nextCursor of an earlier page' })
  }
  return faults.length === 0 ? ok({ limit, after }) : fail(faults)
}

/** Cuts a page from `records`, which must hold one record more than `limit` when there is a next page. */
export function cutPage<T extends { readonly id: string }>(
  records: readonly T[],
  limit: number,
  timeOf: (record: T) => number,
): { readonly page: readonly T[]; readonly nextCursor: string | null } {
  const page = records.slice(0, limit)
  const last = page.at(-1)
  const hasMore = records.length > limit && last !== undefined
  return { page, nextCursor: hasMore ? toCursor([timeOf(last), last.id]) : null }
}

/** A cursor is base64url text, so that it fits into a URL without encoding. */
function toCursor(position: readonly [at: number, id: string]): string {
  return btoa(JSON.stringify(position)).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')
}

function parseCursor(cursor: string, idForm: RegExp): Position | undefined {
  try {
    const [at, id] = cursorShape.parse(JSON.parse(atob(cursor.replaceAll('-', '+').replaceAll('_', '/'))))
    return idForm.test(id) ? { at, id } : undefined
  } catch {
    return undefined
  }
}
