/**
 * What a node may offer to others. A program plays one or more of these roles; `tesd` plays them all.
 *
 * @module
 */
export { type BootstrapOptions, bootstrapRole } from "./bootstrap.ts";
export { type DhtOptions, dhtRole } from "./dht.ts";
export { type RelayOptions, relayRole } from "./relay.ts";
export { readMonth } from "./relay_month.ts";
export { type StoreOptions, storeRole } from "./store.ts";
export { Caretaker, type CaretakerParts } from "./caretaker.ts";
export { type Tempo, tempoOf } from "./tempo.ts";
