// The package export "claimgate": creates the service from its parts, and parses its configuration.

export { createApp } from './app.ts'
export { type Config, ConfigError, type ConfigProblem, parseConfig } from './config/config.ts'
export type { CachedStorage } from './storage/cached.ts'
export type { Storage } from './storage/storage.ts'
export type { AppDeps } from './wiring/deps.ts'
