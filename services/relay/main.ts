import { serve } from "@tesseras/run";

await serve({
  name: "tesseras-relay",
  summary: "Forwards packets for peers behind NATs",
  roles: ["relay"],
});
