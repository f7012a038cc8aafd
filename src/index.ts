// The package export "claimgate": creates the service from its parts, and parses its configuration.

export { createApp } from './app.ts'
export { type Config, parseConfig } from './config/config.ts'
export { ConfigError, type ConfigErrorCode, type ConfigProblem } from './config/errors.ts'
export { type MemoryDepsOptions, openMemoryDeps } from './memory-deps.ts'
export type { CachedStorage } from './storage/cached.ts'
export { StorageError, type StorageErrorCode } from './storage/errors.ts'
export type { Storage } from './storage/storage.ts'
export type { AppDeps } from './wiring/deps.ts'
