import { SeededRandom, VirtualClock } from "@tesseras/core";
import {
  ANNA,
  transportContract,
  type TransportLab,
} from "@tesseras/testing/transport";
import {
  NAT_BEHAVIOURS,
  type NatBehaviour,
  SimNetwork,
  type SimOptions,
} from "./sim.ts";

/** @param router what stands before the node that dials in most claims; nobody else can be dialled behind one */
function lab(
  weather: Partial<SimOptions>,
  router?: NatBehaviour,
): TransportLab {
  const clock = new VirtualClock();
  const random = new SeededRandom(7);
  const network = new SimNetwork({ clock, random, ...weather });
  let port = 4433;
  return {
    clock,
    open: (identity, { admit, network: name } = {}) => {
      const address = { ip: "192.0.2.1", port: port++ };
      const nat = router && identity === ANNA
        ? network.nat(`nat${port}`, `198.51.100.${port % 256}`, router)
        : undefined;
      const node = { identity, address, admit, network: name, nat };
      return Promise.resolve(network.transport(node));
    },
    nobody: { ip: "192.0.2.99", port: 1 },
    run: (body) => clock.run(body),
  };
}

transportContract("simulated network", () => lab({ latencyMs: 1 }));
transportContract(
  "simulated network with jitter and loss",
  () => lab({ latencyMs: [1, 9], lossRate: 0.01 }),
);
transportContract(
  "simulated network through a symmetric NAT with jitter and loss",
  () => lab({ latencyMs: [1, 9], lossRate: 0.01 }, NAT_BEHAVIOURS.symmetric),
  // In these Anna is dialled, or seen, at her own address; nobody outside knows it here.
  [
    "each end sees where the other is and who dialled",
    "is refused where admission says no, and admission sees the dialer's address",
    "two networks do not meet, whoever is expected",
    "both ends may dial each other at once",
    "what the answerer says to a dialer at once is there when the dial is done",
  ],
);
