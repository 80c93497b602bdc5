/**
 * The words of the project: ids, bytes, limits, errors, and the ports for time, randomness and log that everything
 * takes instead of reaching out. Imports nothing of ours.
 *
 * @module
 */
export {
  type Address,
  canonicalIp,
  formatAddress,
  hostNetworkOf,
  isPrivateIp,
  parseAddress,
  splitHostPort,
  subnetOf,
} from "./address.ts";
export {
  compare,
  concat,
  equal,
  equalConstantTime,
  fromHex,
  fromUtf8,
  toHex,
  u32be,
  u64be,
  utf8,
} from "./bytes.ts";
export {
  type Alarm,
  type Clock,
  clockOf,
  type Deadline,
  VirtualClock,
} from "./clock.ts";
export {
  COUNTER_HELP,
  type CounterName,
  DROP_GROUPS,
  type DropGroup,
  DROPS,
  type Listed,
} from "./counter_names.ts";
export { EVENTS } from "./event_names.ts";
export { Counters } from "./counters.ts";
export {
  abortError,
  assert,
  codeOf,
  ERROR_CODES,
  type ErrorCode,
  type ErrorGroup,
  groupOf,
  messageOf,
  TesserasError,
  throwIfAborted,
  unreachable,
} from "./error.ts";
export {
  type Hash,
  hash,
  keyOf,
  keyOfTessera,
  type NodeId,
  nodeId,
  parseHash,
  parseNodeId,
  parseTesseraId,
  type TesseraId,
  tesseraId,
} from "./ids.ts";
export {
  type Log,
  LOG_LEVELS,
  type LogEvent,
  type LogFields,
  type LogLevel,
  logTo,
  type LogValue,
  RecordingLog,
  silentLog,
} from "./log.ts";
export { type Random, SeededRandom, shuffled } from "./random.ts";
export type { Runtime } from "./runtime.ts";
export { mapBounded, orAbort, Semaphore, Tasks } from "./tasks.ts";
