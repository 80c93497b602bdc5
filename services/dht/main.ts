import { serve } from "@tesseras/run";

await serve({
  name: "tesseras-dht",
  summary: "Keeps pointers: who holds which tessera",
  roles: ["dht"],
});
