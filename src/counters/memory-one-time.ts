// Used ids in this process's memory. No unexpired id is evicted, so a tenant cannot make the store forget an id and use it
// again. A call removes at most 256 expired ids.

import type { OneTimeBudget, OneTimeOutcome, OneTimeStore, OneTimeUse } from './counters.ts'

/** A {@link OneTimeStore} whose results are synchronous. */
export interface MemoryOneTime extends OneTimeStore {
  use(use: OneTimeUse): OneTimeOutcome
  /** Whole seconds until a full tenant has room again; undefined while it has room. Marks no id as used. */
  secondsUntilRoom(tenant: string, now: number): number | undefined
}

interface Tenant {
  readonly name: string
  /** How many of its ids are counted, by the second in which they expire. */
  readonly bySecond: Map<number, number>
  count: number
}

/** Ids that expire in the same second, and their tenants at the same indexes. */
interface Second {
  readonly ids: string[]
  readonly tenants: Tenant[]
}

/** Most expired ids that one call removes. Each call adds at most one, so the sweep keeps up. */
const SWEEP_MAX = 256

const NEW: OneTimeOutcome = { kind: 'new' }
const USED: OneTimeOutcome = { kind: 'used' }
const FULL: OneTimeOutcome = { kind: 'full' }

/**
 * Creates a store of used ids. docs/production.md says how much memory a full store takes, and test/counters/memory-size.test.ts
 * checks that.
 */
export function createMemoryOneTime({ perTenant, inAll, longestSeconds }: OneTimeBudget): MemoryOneTime {
  /** When each id expires, epoch seconds. */
  const expiries = new Map<string, number>()
  const tenants = new Map<string, Tenant>()
  const seconds = new Map<number, Second>()
  /** Keys of `seconds`, soonest first. Few: ids expire within `longestSeconds`, unless the clock was set back. */
  const order: number[] = []

  /** Removes up to {@link SWEEP_MAX} expired ids, oldest first. */
  function sweep(now: number): void {
    let left = SWEEP_MAX
    while (order[0] !== undefined && order[0] <= now) {
      const second = order[0]
      const { ids, tenants: owners } = seconds.get(second) as Second
      for (; ids.length > 0 && left > 0; left -= 1) {
        const id = ids.pop() as string
        // The id may have been used again after it had expired.
        if (expiries.get(id) === second) expiries.delete(id)
        discount(owners.pop() as Tenant, second, 1)
      }
      if (ids.length > 0) return
      seconds.delete(second)
      order.shift()
    }
  }

  /** Subtracts ids that expire in this second from the count of their tenant. */
  function discount(tenant: Tenant, second: number, ids: number): void {
    const counted = tenant.bySecond.get(second)
    if (counted === undefined) return
    if (counted <= ids) tenant.bySecond.delete(second)
    else tenant.bySecond.set(second, counted - ids)
    tenant.count -= Math.min(counted, ids)
    if (tenant.count === 0) tenants.delete(tenant.name)
  }

  function secondsUntilRoom(name: string, now: number): number | undefined {
    const tenant = tenants.get(name)
    if (tenant === undefined || tenant.count < perTenant) return undefined
    let oldest = Number.POSITIVE_INFINITY
    for (const [second, ids] of tenant.bySecond) {
      // Not counted: ids that have expired but are not swept yet, and ids used before the clock was set back.
      if (second <= now || second > now + longestSeconds) discount(tenant, second, ids)
      else oldest = Math.min(oldest, second)
    }
    return tenant.count < perTenant ? undefined : Math.max(1, Math.ceil(oldest - now))
  }

  function remember({ id, tenant: name }: OneTimeUse, second: number): void {
    const tenant = tenants.get(name) ?? { name, bySecond: new Map<number, number>(), count: 0 }
    tenants.set(name, tenant)
    tenant.bySecond.set(second, (tenant.bySecond.get(second) ?? 0) + 1)
    tenant.count += 1
    expiries.set(id, second)
    const known = seconds.get(second)
    if (known !== undefined) {
      known.ids.push(id)
      known.tenants.push(tenant)
      return
    }
    seconds.set(second, { ids: [id], tenants: [tenant] })
    insertSorted(order, second)
  }

  return {
    secondsUntilRoom,
    use(use) {
      const { id, tenant, now } = use
      sweep(now)
      if ((expiries.get(id) ?? Number.NEGATIVE_INFINITY) > now) return USED
      const retryAfterSeconds = secondsUntilRoom(tenant, now)
      if (retryAfterSeconds !== undefined) return { kind: 'tenant_full', retryAfterSeconds }
      if (expiries.size >= inAll) return FULL
      const second = Math.ceil(use.expiresAt)
      if (second > now) remember(use, second)
      return NEW
    },
  }
}

function insertSorted(sorted: number[], value: number): void {
  let at = sorted.length
  while (at > 0 && (sorted[at - 1] as number) > value) at--
  sorted.splice(at, 0, value)
}
