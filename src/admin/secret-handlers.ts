// /admin/credentials, /admin/revocations and /admin/keys: rotating what signs and proves, and ending it.

import type { Handler } from '../http/context.ts'
import { revokeCredential, rotateCredential } from './credential.ts'
import { parseRotationInput } from './credential-input.ts'
import { answerJson, readInput } from './exchange.ts'
import { parseKeyRotationInput, rotateKeys } from './key.ts'
import type { AdminPorts } from './operation.ts'
import { createRevocation } from './revocation.ts'
import { parseRevocationInput } from './revocation-input.ts'
import { toWireKey, toWireRevocation, toWireRotation } from './wire.ts'

/** The handlers by what they do. */
export function createSecretHandlers(
  ports: AdminPorts,
): Readonly<Record<'rotate' | 'revoke' | 'addRevocation' | 'listKeys' | 'rotateKeys', Handler>> {
  return {
    async rotate(context) {
      const input = await readInput(context.request, parseRotationInput, { mayBeEmpty: true })
      if (!input.ok) return context.refuse(input.reason)
      const id = context.params.id ?? ''
      const rotated = await rotateCredential(ports, id, input.value, 'admin', context.now())
      if (!rotated.ok) return context.refuse(rotated.reason)
      return answerJson(context, 200, { credential: toWireRotation(rotated.value) })
    },

    async revoke(context) {
      const revoked = await revokeCredential(ports, context.params.id ?? '', 'admin', context.now())
      return revoked.ok ? context.answer(204, null, {}) : context.refuse(revoked.reason)
    },

    async addRevocation(context) {
      const input = await readInput(context.request, (value) => parseRevocationInput(value, context.now()))
      if (!input.ok) return context.refuse(input.reason)
      const created = await createRevocation(ports, input.value, 'admin', context.now())
      return answerJson(context, 201, { revocation: toWireRevocation(created) })
    },

    async listKeys(context) {
      return answerJson(context, 200, { keys: (await ports.keyLife.list()).map(toWireKey) })
    },

    async rotateKeys(context) {
      const input = await readInput(context.request, parseKeyRotationInput, { mayBeEmpty: true })
      if (!input.ok) return context.refuse(input.reason)
      const rotated = await rotateKeys(ports, input.value, 'admin', context.now())
      if (!rotated.ok) return context.refuse(rotated.reason)
      return answerJson(context, 200, { keys: rotated.value.map(toWireKey) })
    },
  }
}
