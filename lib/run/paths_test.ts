import { assertEquals, assertTrue } from "@tesseras/testing";
import { utf8 } from "@tesseras/core";
import { dataPaths, defaultDataDir, type PathEnvironment } from "./paths.ts";

const plain: PathEnvironment = {
  home: "/home/ana",
  xdgDataHome: undefined,
  os: "linux",
  exists: () => false,
};

Deno.test("each platform has its own data directory", () => {
  assertEquals(defaultDataDir(plain), "/home/ana/.local/share/tesseras");
  assertEquals(
    defaultDataDir({ ...plain, xdgDataHome: "/data" }),
    "/data/tesseras",
  );
  assertEquals(
    defaultDataDir({ ...plain, os: "darwin", xdgDataHome: "/data" }),
    "/home/ana/Library/Application Support/tesseras",
  );
});

Deno.test("~/.tesseras wins on every platform where it is there", () => {
  const exists = (path: string): boolean => path === "/home/ana/.tesseras";
  for (const os of ["linux", "darwin"]) {
    const env = { ...plain, os, exists, xdgDataHome: "/data" };
    assertEquals(defaultDataDir(env), "/home/ana/.tesseras");
  }
});

Deno.test("an empty or relative variable counts as unset", () => {
  for (const xdgDataHome of ["", "data", "./data"]) {
    assertEquals(
      defaultDataDir({ ...plain, xdgDataHome }),
      "/home/ana/.local/share/tesseras",
    );
  }
  for (const home of [undefined, "", "ana"]) {
    assertEquals(defaultDataDir({ ...plain, home }), undefined);
  }
});

Deno.test("a socket path is never longer than the system takes", () => {
  const short = dataPaths("/home/ana/.tesseras");
  assertEquals(short.socket, "/home/ana/.tesseras/run/tesd.sock");
  const seen = new Set<string>();
  for (let length = 60; length < 130; length++) {
    // Letters of two bytes: what counts is bytes.
    const { socket, socketDir } = dataPaths(`/${"é".repeat(length)}`);
    assertTrue(utf8(socket).length <= 100);
    assertTrue(socketDir.startsWith("/tmp/tesseras-"));
    seen.add(socketDir);
  }
  assertEquals(seen.size, 70);
});
