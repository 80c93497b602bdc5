import { serve } from "@tesseras/run";

await serve({
  name: "tesseras-bootstrap",
  summary: "An entry to the network: tells newcomers about peers",
  roles: ["bootstrap"],
  defaults: { "bootstrap.directory_addr": "127.0.0.1:9180" },
});
