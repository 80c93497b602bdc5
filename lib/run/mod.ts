/**
 * Programs around a node: configuration, identities on disk, the control socket, health pages, start and stop.
 *
 * @module
 */
export {
  type Config,
  type ConfigSources,
  listenAddress,
  printDefaults,
  readConfig,
} from "./config.ts";
export { type ControlHandler, serveControl } from "./control.ts";
export { callControl } from "./control_client.ts";
export type { Json, JsonObject } from "./control_frames.ts";
export {
  type Daemon,
  type DaemonOptions,
  ROLE_NAMES,
  type RoleName,
  startDaemon,
} from "./daemon.ts";
export { lockDataDir } from "./data_lock.ts";
export { checkEntrances, type Entrance } from "./entrances.ts";
export {
  creatorInFile,
  initCreator,
  loadCreator,
  loadOrMintNode,
  nodeInFile,
  seedPath,
} from "./identities.ts";
export {
  type DataPaths,
  dataPaths,
  defaultDataDir,
  type PathEnvironment,
  pathEnvironment,
} from "./paths.ts";
export {
  makePrivateFolder,
  readSecret,
  writeNewSecret,
} from "./secret_files.ts";
export { EXIT, serve } from "./serve.ts";
export type { Setting } from "./setting.ts";
export { SETTINGS } from "./settings.ts";
export { type Program, readStart, type Start } from "./start.ts";
export { databaseInServer, inServer } from "./state_place.ts";
