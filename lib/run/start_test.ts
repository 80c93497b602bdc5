import { assertEquals, assertThrowsCode, assertTrue } from "@tesseras/testing";
import {
  help,
  type Program,
  readStart,
  type Start,
  type StartSources,
} from "./start.ts";

const program: Program = { name: "tesd", summary: "A node", roles: ["store"] };

function start(
  args: readonly string[],
  changes: Partial<StartSources> & {
    readonly files?: Readonly<Record<string, string>>;
  } = {},
): Start {
  const { files = {}, ...sources } = changes;
  const told = readStart(program, {
    args,
    env: {},
    paths: {
      home: "/home/ana",
      xdgDataHome: undefined,
      os: "linux",
      exists: () => false,
    },
    readFile: (path) => files[path],
    ...sources,
  });
  assertTrue(told !== "help");
  return told;
}

Deno.test("without a word everything is as the guide says", () => {
  const { config, dataDir, stopWithStdin } = start([]);
  assertEquals(dataDir, "/home/ana/.local/share/tesseras");
  assertEquals(config.node.listen_addr, "0.0.0.0:4433");
  assertEquals(stopWithStdin, false);
});

Deno.test("each flag sets what it says, by either name", () => {
  const short = start(["-l", "[::1]:5", "-b", "", "-d", "/d"]);
  const long = start([
    "--listen=[::1]:5",
    "--bootstrap",
    "",
    "--data-dir",
    "/d",
  ]);
  assertEquals(short, long);
  assertEquals(
    [short.config.node.listen_addr, short.config.bootstrap.hardcoded],
    ["[::1]:5", []],
  );
  const other = start([
    "--metrics-addr",
    "",
    "--log-format",
    "text",
    "--log-level=debug",
    "--stop-with-stdin",
  ]);
  assertEquals(other.config.observability, {
    metrics_addr: "",
    log_format: "text",
    log_level: "debug",
  });
  assertTrue(other.stopWithStdin);
});

Deno.test("--bootstrap means those peers and no other source, whatever file and environment say", () => {
  const env = {
    TESSERAS_BOOTSTRAP_DNS_DOMAIN: "a.test",
    TESSERAS_BOOTSTRAP_DIRECTORIES: "https://a.test",
    TESSERAS_NETWORK_ENABLE_MDNS: "true",
  };
  const { bootstrap, network } = start(["-b", "192.0.2.7:1"], { env }).config;
  assertEquals(
    [bootstrap.hardcoded, bootstrap.dns_domain, bootstrap.directories],
    [["192.0.2.7:1"], "", []],
  );
  assertEquals(network.enable_mdns, false);
  const without = start([], { env }).config;
  assertEquals(
    [without.bootstrap.dns_domain, without.bootstrap.directories],
    ["a.test", ["https://a.test"]],
  );
});

Deno.test("a program's own default lies under everything a person says", () => {
  const own = {
    ...program,
    defaults: { "bootstrap.directory_addr": "127.0.0.1:9180" },
  };
  const addressOf = (args: readonly string[], text = "") => {
    const told = readStart(own, {
      args,
      env: {},
      paths: {
        home: "/home/ana",
        xdgDataHome: undefined,
        os: "linux",
        exists: () => false,
      },
      readFile: () => text,
    });
    assertTrue(told !== "help");
    return told.config.bootstrap.directory_addr;
  };
  assertEquals(addressOf([]), "127.0.0.1:9180");
  assertEquals(
    addressOf([], '[bootstrap]\ndirectory_addr = "127.0.0.1:80"'),
    "127.0.0.1:80",
  );
  assertEquals(addressOf(["--directory-addr", ""]), "");
});

Deno.test("--help wins, and names every flag", () => {
  const sources = {
    args: ["--nonsense", "-h"],
    env: {},
    paths: {
      home: "/h",
      xdgDataHome: undefined,
      os: "linux",
      exists: () => false,
    },
    readFile: () => undefined,
  };
  assertEquals(readStart(program, sources), "help");
  const text = help(program);
  for (
    const flag of [
      "--config",
      "--listen",
      "--bootstrap",
      "--data-dir",
      "--metrics-addr",
      "--log-format",
      "--log-level",
      "--stop-with-stdin",
      "--help",
    ]
  ) assertTrue(text.includes(flag), flag);
});

Deno.test("unknown words, missing, repeated and wrong values are one sentence each", () => {
  const wrong: readonly (readonly [readonly string[], RegExp])[] = [
    [["--nope"], /"--nope" is not known; see tesd --help/],
    [["-z"], /"-z" is not known/],
    [["folder"], /"folder" is not known/],
    [["--no-listen"], /not known|wanted/],
    [["--data-dir"], /--data-dir: wanted one value/],
    [["--data-dir", ""], /--data-dir: wanted one value/],
    [["-l", "127.0.0.1:1", "-l", "127.0.0.1:2"], /--listen: wanted one value/],
    [["--listen", "nowhere"], /--listen = "nowhere": wanted an address/],
    [["--log-level", "loud"], /--log-level = "loud": wanted "debug" or/],
    [["--config", "/none.toml"], /\/none\.toml: it is not there/],
  ];
  for (const [args, message] of wrong) {
    assertThrowsCode(() => start(args), "unusable", message);
  }
});

Deno.test("the file in the data directory is read when none is named", () => {
  const files = {
    "/d/config.toml": "[dht]\nk = 7",
    "/other.toml": "[dht]\nk = 8",
  };
  assertEquals(start(["-d", "/d"], { files }).config.dht.k, 7);
  const env = { TESSERAS_NODE_DATA_DIR: "/d" };
  assertEquals(start([], { files, env }).config.dht.k, 7);
  const named = start(["-d", "/d", "-c", "/other.toml"], { files });
  assertEquals(named.config.dht.k, 8);
  assertEquals(start(["-d", "/e"], { files }).config.dht.k, 20);
  const broken = { "/d/config.toml": "[dht]\nkk = 7" };
  assertThrowsCode(
    () => start(["-d", "/d"], { files: broken }),
    "unusable",
    /\/d\/config\.toml: \[dht\] kk: there is no such setting/,
  );
});

Deno.test("a configuration file that cannot be read is one sentence", () => {
  const readFile = (): string => {
    throw new Deno.errors.PermissionDenied("no");
  };
  assertThrowsCode(
    () => start(["-c", "/c.toml"], { readFile }),
    "unusable",
    /^Cannot read the configuration file \/c\.toml: may it be read/,
  );
});

Deno.test("one --listen wins over a list in the file", () => {
  const files = {
    "/c.toml": '[node]\nlisten_addrs = ["0.0.0.0:1", "[::]:1"]',
  };
  const { node } = start(["-c", "/c.toml", "-l", "127.0.0.1:9"], { files })
    .config;
  assertEquals([node.listen_addr, node.listen_addrs], ["127.0.0.1:9", []]);
});

Deno.test("the data directory comes from flag, environment, file, then the platform; ~ is home", () => {
  const files = { "/c.toml": '[node]\ndata_dir = "~/kept"' };
  const env = { TESSERAS_NODE_DATA_DIR: "/env" };
  const c = ["-c", "/c.toml"];
  assertEquals(start(c, { files }).dataDir, "/home/ana/kept");
  assertEquals(start(c, { files, env }).dataDir, "/env");
  assertEquals(start([...c, "-d", "~"], { files, env }).dataDir, "/home/ana");
  const paths = {
    home: undefined,
    xdgDataHome: undefined,
    os: "linux",
    exists: () => false,
  };
  assertThrowsCode(() => start([], { paths }), "unusable", /HOME is not set/);
  assertEquals(start(["-d", "/d"], { paths }).dataDir, "/d");
});

Deno.test("TESSERAS_LOG is the level in short, a setting of its own wins, and other programs' variables mean nothing", () => {
  const level = (env: Record<string, string>): string =>
    start([], { env }).config.observability.log_level;
  assertEquals(level({ TESSERAS_LOG: "warn", RUST_LOG: "debug" }), "warn");
  const both = {
    TESSERAS_LOG: "warn",
    TESSERAS_OBSERVABILITY_LOG_LEVEL: "error",
  };
  assertEquals(level(both), "error");
  assertThrowsCode(
    () => level({ TESSERAS_LOG: "loud" }),
    "unusable",
    /TESSERAS_LOG="loud": wanted debug, info, warn, error/,
  );
  assertThrowsCode(
    () => level({ TESSERAS_NODE_LISTEN: "x" }),
    "unusable",
    /TESSERAS_NODE_LISTEN from the environment/,
  );
});
