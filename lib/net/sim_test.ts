import { SeededRandom, VirtualClock } from "@tesseras/core";
import {
  transportContract,
  type TransportLab,
} from "@tesseras/testing/transport";
import { SimNetwork, type SimOptions } from "./sim.ts";

function lab(weather: Partial<SimOptions>): TransportLab {
  const clock = new VirtualClock();
  const random = new SeededRandom(7);
  const network = new SimNetwork({ clock, random, ...weather });
  let port = 4433;
  return {
    clock,
    open: (identity, { admit, network: name } = {}) => {
      const address = { ip: "192.0.2.1", port: port++ };
      const node = { identity, address, admit, network: name };
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
