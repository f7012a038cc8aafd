// SHA-256 of a text: synchronous with node:crypto where it has `crypto.hash`, else with Web Crypto.

import { base64url } from 'jose'
import type { MaybePromise } from '../../lib/result.ts'
import { hashNodeText } from './node-crypto.ts'

/** SHA-256 of a text in UTF-8, as 43 base64url characters. */
export type HashText = (text: string) => MaybePromise<string>

const utf8 = new TextEncoder()

/** {@link HashText} with Web Crypto, on any runtime. */
export const hashWebText: HashText = async (text) =>
  base64url.encode(new Uint8Array(await crypto.subtle.digest('SHA-256', utf8.encode(text))))

/** {@link HashText} in the fastest way that this runtime has. */
export const hashText: HashText = hashNodeText ?? hashWebText
