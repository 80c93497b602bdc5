/** Every message there is, in one table. PROTOCOL.md's table is compared with it. */
import type { Definition } from "./definition.ts";
import {
  type Attest,
  attest,
  type Audit,
  audit,
  type Audited,
  audited,
  type Forget,
  forget,
  type Forgotten,
  forgotten,
} from "./messages_care.ts";
import {
  type FindNode,
  findNode,
  type FindValue,
  findValue,
  type Nodes,
  nodes,
  type Providers,
  providers,
  type Store,
  store,
  type Stored,
  stored,
} from "./messages_dht.ts";
import { error, type ErrorAnswer } from "./messages_error.ts";
import {
  type Fragment,
  fragment,
  type GetFragment,
  getFragment,
  type GetPlan,
  getPlan,
  type Kept,
  kept,
  plan,
  type PlanAnswer,
  type PutFragment,
  putFragment,
} from "./messages_fragment.ts";
import {
  type Challenge,
  challenge,
  type Ping,
  ping,
  type Pong,
  pong,
  type Proof,
  proof,
} from "./messages_hello.ts";

import {
  type PunchAgreed,
  punchAgreed,
  type PunchIntro,
  punchIntro,
  type PunchReady,
  punchReady,
  type PunchRequest,
  punchRequest,
  type RelayClose,
  relayClose,
  type RelayClosed,
  relayClosed,
  type RelayMigrate,
  relayMigrate,
  relayOffer,
  type RelayOffered,
  type RelayRequest,
  relayRequest,
} from "./messages_meet.ts";

/** Which response answers which request. */
type Answers = {
  readonly challenge: Proof;
  readonly ping: Pong;
  readonly find_node: Nodes;
  readonly find_value: Providers;
  readonly store: Stored;
  readonly put_fragment: Kept;
  readonly get_fragment: Fragment;
  readonly get_plan: PlanAnswer;
  readonly attest: Kept;
  readonly audit: Audited;
  readonly forget: Forgotten;
  readonly punch_intro: PunchReady;
  readonly punch_request: PunchAgreed;
  readonly relay_request: RelayOffered;
  readonly relay_migrate: RelayOffered;
  readonly relay_close: RelayClosed;
};

/** What one node asks another. */
export type Request =
  | Challenge
  | Ping
  | FindNode
  | FindValue
  | Store
  | PutFragment
  | GetFragment
  | GetPlan
  | Attest
  | Audit
  | Forget
  | PunchIntro
  | PunchRequest
  | RelayRequest
  | RelayMigrate
  | RelayClose;

/** What answers a request that could be met. */
export type Response = Answers[keyof Answers];

/** Anything that travels in a frame. */
export type Message = Request | Response | ErrorAnswer;

/** The response to a request of this type. */
export type ResponseOf<R extends Request> = Answers[R["type"]];

/** The message of this name. */
type Named<Name extends Message["type"]> = Extract<Message, { type: Name }>;

/** The definition of every message by its name on the wire. */
export const REGISTRY: {
  readonly [Name in Message["type"]]: Definition<Named<Name>>;
} = {
  challenge,
  proof,
  ping,
  pong,
  find_node: findNode,
  nodes,
  find_value: findValue,
  providers,
  store,
  stored,
  put_fragment: putFragment,
  kept,
  get_fragment: getFragment,
  fragment,
  get_plan: getPlan,
  plan,
  attest,
  audit,
  audited,
  forget,
  forgotten,
  punch_intro: punchIntro,
  punch_ready: punchReady,
  punch_request: punchRequest,
  punch_agreed: punchAgreed,
  relay_request: relayRequest,
  relay_offer: relayOffer,
  relay_migrate: relayMigrate,
  relay_close: relayClose,
  relay_closed: relayClosed,
  error,
};

/** The definition of a message by the name a peer wrote, or `undefined`. */
export function definitionOf(name: string): Definition<Message> | undefined {
  return Object.hasOwn(REGISTRY, name)
    ? REGISTRY[name as Message["type"]]
    : undefined;
}

/** Whether the message asks for an answer. */
export function isRequest(message: Message): message is Request {
  return REGISTRY[message.type].kind === "request";
}

/** Whether the message is the response that the request asks for. */
export function isResponseTo<R extends Request>(
  message: Message,
  request: R,
): message is Extract<Message, ResponseOf<R>> {
  return message.type === REGISTRY[request.type].answer;
}

/** Octets that follow the message on its stream. */
export function bulkBytesOf(message: Message): number {
  return "bulk" in message ? message.bulk : 0;
}
