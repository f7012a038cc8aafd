import { createMemoryStorage } from '../../src/storage/memory.ts'
import { describeStorage } from './contract.ts'

describeStorage('memory', async () => {
  const storage = createMemoryStorage()
  return { storage, close: () => storage.close() }
})
