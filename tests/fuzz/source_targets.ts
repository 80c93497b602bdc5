/** The readers of what names peers to a node that is alone: directory pages, TXT records, packets of the local network. */
import { Buffer } from "node:buffer";
import * as dnsPacket from "dns-packet";
import {
  fromUtf8,
  type NodeId,
  parseNodeId,
  TesserasError,
  utf8,
} from "@tesseras/core";
import { readDirectoryPage } from "@tesseras/directory";
import { readPeerTexts } from "../../lib/run/dns_texts.ts";
import {
  answerOf,
  type Packet,
  QUESTION,
  readAnswer,
} from "../../lib/run/mdns_packet.ts";
import { ALLOCATED_BYTES, type FuzzTarget } from "./target.ts";

const ID = "00ab".repeat(10);

/** The targets. */
export function sourceTargets(): readonly FuzzTarget[] {
  return [pageTarget(), textTarget(), packetTarget()];
}

function pageTarget(): FuzzTarget {
  const peer = {
    id: ID,
    addresses: ["192.0.2.7:4433"],
    offers: ["DHT"],
    seen: 1,
    record: "AAEC_-8",
  };
  const page = { v: 1, time: 1, pow_bits: 16, peers: [peer, peer] };
  return {
    name: "directory/readDirectoryPage",
    corpus: [page, { v: 1, peers: [] }].map((one) => utf8(JSON.stringify(one))),
    refuses: ["malformed"],
    isExact: false,
    rewrite(bytes) {
      const { records } = readDirectoryPage(bytes);
      const peers = records.map((record) => ({
        record: record.toBase64({ alphabet: "base64url", omitPadding: true }),
      }));
      return utf8(JSON.stringify({ v: 1, peers }));
    },
  };
}

/** TXT records as lines of strings between tabs. */
function textTarget(): FuzzTarget {
  return {
    name: "run/readPeerTexts",
    corpus: [
      `v=tesseras1 peer=${ID}@boot.example:4433\nv=tesseras1 \tpeer=192.0.2.7:1`,
      "v=spf1 -all",
    ].map(utf8),
    refuses: ["malformed"],
    isExact: false,
    rewrite(bytes) {
      const records = fromUtf8(bytes).split("\n").map((one) => one.split("\t"));
      const { peers } = readPeerTexts(records);
      return utf8(peers.map((peer) => `v=tesseras1 peer=${peer}`).join("\n"));
    },
  };
}

/** The library's own codec of packets, as far as it is used here. */
type Codec = {
  encode(packet: Packet & { readonly type: string }): Uint8Array;
  decode(bytes: Buffer): Packet;
};

/** Packets through the decoder that multicast DNS uses; one it cannot read is dropped and counted. */
function packetTarget(): FuzzTarget {
  const { encode, decode }: Codec = dnsPacket;
  const written = (id: NodeId, port: number) => {
    const answer = answerOf({ id, network: "main", port }, "192.168.1.7");
    return Uint8Array.from(encode({ type: "response", ...answer }));
  };
  const question = encode({ type: "query", ...QUESTION });
  return {
    name: "run/readAnswer",
    corpus: [written(parseNodeId(ID), 4433), Uint8Array.from(question)],
    refuses: ["malformed"],
    isExact: false,
    allocatedPerByte: 4_096,
    // The package sets aside a place for each record that the header's four counts of 16 bits announce: 2 MiB, given back at once.
    allocatedBytes: ALLOCATED_BYTES + 4 * 0xffff * 8,
    rewrite(bytes) {
      let packet: Packet;
      try {
        packet = decode(Buffer.from(bytes));
      } catch {
        throw new TesserasError("malformed", "Cannot read the packet");
      }
      const peer = readAnswer(packet, "192.168.1.9", "main");
      return peer === undefined || peer === "refused"
        ? Uint8Array.from(question)
        : written(peer.id, peer.address.port);
    },
  };
}
