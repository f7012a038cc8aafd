import { createMemoryStorage } from '../../src/storage/memory.ts'
import { describeAssertions } from './assertion-contract.ts'
import { describeStorage, type OpenedStorage } from './contract.ts'
import { describePrototypes } from './prototype-contract.ts'
import { describeRaces } from './race-contract.ts'
import { describeRevocations } from './revocation-contract.ts'
import { describeRules } from './rule-contract.ts'
import { describeWrites } from './write-contract.ts'

async function openStorage(): Promise<OpenedStorage> {
  const storage = createMemoryStorage()
  return { storage, close: () => storage.close() }
}

describeStorage('memory', openStorage)
describeWrites('memory', openStorage)
describeRaces('memory', openStorage)
describeRevocations('memory', openStorage)
describeRules('memory', openStorage)
describePrototypes('memory', openStorage)
describeAssertions('memory', openStorage)
