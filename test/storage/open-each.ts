// Opens what a contract suite runs on before each test and closes it afterwards.

import { afterEach, beforeEach } from 'vitest'

/** Opens before each test, lets `prepare` use what was opened, and closes it after the test. */
export function openEach<T extends { readonly close: () => Promise<void> }>(
  open: () => Promise<T>,
  prepare: (opened: T) => void | Promise<void>,
): void {
  let opened: T | undefined
  beforeEach(async () => {
    opened = await open()
    await prepare(opened)
  })
  afterEach(() => opened?.close())
}
