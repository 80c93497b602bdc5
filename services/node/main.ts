import { serve } from "@tesseras/run";

await serve({
  name: "tesd",
  summary: "A full node: every role in one process",
  roles: ["dht", "store"],
});
