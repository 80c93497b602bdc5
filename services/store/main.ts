import { serve } from "@tesseras/run";

await serve({
  name: "tesseras-store",
  summary: "Keeps fragments for others",
  roles: ["store"],
});
