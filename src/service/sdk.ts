// GET /sdk.js: the browser client as one ES module, for pages without a bundler. Pages of every origin may load it. The text
// is part of the program, so it is served on Workers too.

import { type Handler, matchesTag } from '../http/context.ts'
import { SDK_TAG, SDK_TEXT } from './sdk-file.ts'

const HEADERS = {
  // A page gets a new version within an hour; after it, a request with the tag costs no download.
  'cache-control': 'public, max-age=3600',
  etag: SDK_TAG,
  // For pages that are cross-origin isolated, which load nothing else.
  'cross-origin-resource-policy': 'cross-origin',
  'x-content-type-options': 'nosniff',
}

/** Answers with the module, or 304 when the caller has it (`If-None-Match`). */
export const sdkHandler: Handler = (context) =>
  matchesTag(context.request.headers.get('if-none-match'), SDK_TAG)
    ? context.answer(304, null, HEADERS)
    : context.answer(200, SDK_TEXT, { ...HEADERS, 'content-type': 'text/javascript; charset=utf-8' })
