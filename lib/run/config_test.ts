import { assertEquals, assertThrowsCode, assertTrue } from "@tesseras/testing";
import { parse } from "@std/toml";
import { listenAddress, printDefaults, readConfig } from "./config.ts";
import { SETTINGS } from "./settings.ts";

const flag = (name: string, value: string) =>
  new Map([[name, { typed: "--flag", value }]]);

Deno.test("defaults are those of the user guide", () => {
  const { node, dht, bootstrap, network, observability } = readConfig({});
  assertEquals(node.listen_addr, "0.0.0.0:4433");
  assertEquals(
    [dht.k, dht.alpha, dht.pointer_ttl_secs, dht.max_stored_pointers],
    [20, 3, 86_400, 100_000],
  );
  assertEquals(bootstrap.hardcoded, [
    "boot1.tesseras.net:4433",
    "boot2.tesseras.net:4433",
  ]);
  assertEquals([network.name, network.enable_mdns], ["main", true]);
  assertEquals(observability.metrics_addr, "127.0.0.1:9190");
});

Deno.test("flags win over the environment, which wins over the file, which wins over defaults", () => {
  const file = {
    name: "c.toml",
    text: '[node]\nlisten_addr = "1.1.1.1:1"\n[dht]\nk = 7\nalpha = 4\n',
  };
  const env = { TESSERAS_NODE_LISTEN_ADDR: "2.2.2.2:2", TESSERAS_DHT_K: "8" };
  const flags = flag("node.listen_addr", "3.3.3.3:3");
  const { node, dht } = readConfig({ file, env, flags });
  assertEquals([node.listen_addr, dht.k, dht.alpha], ["3.3.3.3:3", 8, 4]);
});

Deno.test("an unknown key, section, variable or a bad value stops with a sentence that names it", () => {
  const file = (text: string) => () =>
    readConfig({ file: { name: "c.toml", text } });
  assertThrowsCode(
    file("[dht]\nkk = 3"),
    "unusable",
    /c\.toml: \[dht\] kk: there is no such setting; \[dht\] has k, alpha/,
  );
  assertThrowsCode(
    file("[dhtt]\nk = 3"),
    "unusable",
    /\[dhtt\] is not a section/,
  );
  assertThrowsCode(
    file("[dht]\nk = 300"),
    "unusable",
    /\[dht\] k = 300: wanted a whole number from 1 to 20/,
  );
  assertThrowsCode(file("[dht\nk"), "unusable", /^Cannot read c\.toml: /);
  assertThrowsCode(
    file('[bootstrap]\nhardcoded = ["nonsense"]'),
    "unusable",
    /hardcoded = \["nonsense"\]: wanted a list of "host:port"/,
  );
  assertThrowsCode(
    () => readConfig({ env: { TESSERAS_DHT_KK: "1" } }),
    "unusable",
    /TESSERAS_DHT_KK/,
  );
  assertThrowsCode(
    () => readConfig({ flags: flag("node.listen_addr", "nowhere") }),
    "unusable",
    /--flag = "nowhere": wanted an address/,
  );
});

Deno.test("an empty bootstrap list makes a seed, and ids pin", () => {
  const seed = readConfig({ flags: flag("bootstrap.hardcoded", "") });
  assertEquals(seed.bootstrap.hardcoded, []);
  const id = "0".repeat(40);
  const pinned = readConfig({
    flags: flag("bootstrap.hardcoded", `${id}@h:1, [::1]:2`),
  });
  assertEquals(pinned.bootstrap.hardcoded, [`${id}@h:1`, "[::1]:2"]);
});

Deno.test("directories are https, or http on a private network", () => {
  const of = (value: string) =>
    readConfig({ flags: flag("bootstrap.directories", value) }).bootstrap
      .directories;
  const good =
    "https://boot.example,https://boot.example:8443/,http://127.0.0.1:80,http://[::1]:81";
  assertEquals(of(good), good.split(","));
});

Deno.test("both families on one port become one dual-stack address, other lists are refused", () => {
  const of = (value: string) =>
    listenAddress(readConfig({ flags: flag("node.listen_addrs", value) }));
  assertEquals(of("0.0.0.0:4433,[::]:4433"), { ip: "::", port: 4433 });
  assertEquals(of("127.0.0.1:5"), { ip: "127.0.0.1", port: 5 });
  assertThrowsCode(() => of("127.0.0.1:5,127.0.0.2:5"), "unusable");
});

Deno.test("the printed defaults name every setting and read back", () => {
  const printed = printDefaults();
  const live = printed.replaceAll(/^#(?! )/gm, "");
  const document = parse(live) as Record<string, Record<string, unknown>>;
  for (const [section, settings] of Object.entries(SETTINGS)) {
    assertEquals(Object.keys(document[section]!), Object.keys(settings));
  }
  assertEquals(
    readConfig({ file: { name: "defaults", text: live } }),
    readConfig({}),
  );
  assertTrue(readConfig({ file: { name: "d", text: printed } }));
});

Deno.test("names that every object has are no settings, and a dot in a key is no way to another", () => {
  const file = (text: string) => () =>
    readConfig({ file: { name: "c.toml", text } });
  assertThrowsCode(file("[toString]\nk = 3"), "unusable", /is not a section/);
  for (const key of ["constructor", "hasOwnProperty", '"k.x"', '"__proto__"']) {
    assertThrowsCode(
      file(`[dht]\n${key} = 3`),
      "unusable",
      /there is no such setting/,
    );
  }
});

Deno.test("values of the wrong kind are refused wherever they come from", () => {
  const wrong: readonly (readonly [string, string])[] = [
    ["node", 'listen_addr = ""'],
    ["node", "listen_addr = 4433"],
    ["node", "pow_bits = 7"],
    ["dht", "k = 3.5"],
    ["dht", 'k = "three"'],
    ["dht", "k = nan"],
    ["bootstrap", 'hardcoded = ["me@host:1"]'],
    ["bootstrap", "hardcoded = [1]"],
    ["bootstrap", "hardcoded = 1979-05-27"],
    ["bootstrap", 'dns_domain = "two words"'],
    ["bootstrap", `dns_domain = "${"a.".repeat(130)}"`],
    ["bootstrap", 'dns_server = "resolver.example"'],
    ["bootstrap", 'directories = ["boot.example"]'],
    ["bootstrap", 'directories = ["https://boot.example/path"]'],
    ["bootstrap", 'directories = ["https://me:secret@boot.example"]'],
    ["bootstrap", 'directories = ["http://boot.example"]'],
    ["bootstrap", 'directories = ["http://192.0.2.7"]'],
    ["bootstrap", 'directories = ["file:///etc"]'],
    [
      "bootstrap",
      `directories = [${Array(9).fill('"https://boot.example"').join()}]`,
    ],
    ["bootstrap", 'trusted_proxies = ["proxy.example"]'],
    ["network", 'mdns_interfaces = ["eth0"]'],
    ["network", 'mdns_interfaces = ["::1"]'],
    ["network", 'name = ""'],
    ["network", 'name = "Main"'],
    ["network", `name = "${"a".repeat(33)}"`],
    ["network", "enable_mdns = 1"],
    ["storage", 'state_url = "file:///tmp/a.db"'],
    ["storage", 'state_url = "wss://db.example"'],
    ["storage", 'state_url = "libsql:"'],
    ["storage", 'state_url = "http://db.example"'],
    ["storage", 'state_url = "http://192.0.2.7:8080"'],
    ["storage", 'state_url = "https://me:secret@db.example"'],
    ["storage", 'state_url = "libsql://db.example?authToken=secret"'],
    ["storage", 'state_url = "https://db.example/#secret"'],
    ["storage", 'state_url = "https://db.example/a+b"'],
    ["storage", 'state_url = "https://db.example//a"'],
    ["observability", 'log_format = "xml"'],
  ];
  for (const [section, line] of wrong) {
    assertThrowsCode(
      () =>
        readConfig({ file: { name: "c.toml", text: `[${section}]\n${line}` } }),
      "unusable",
      /^Cannot use c\.toml: \[\w+\] \w+ = .*: wanted /,
    );
  }
  assertThrowsCode(
    () => readConfig({ file: { name: "c.toml", text: "dht = 3" } }),
    "unusable",
    /\[dht\] is not a section/,
  );
});

Deno.test("a state may be in a libSQL server, and what is secret about it is repeated nowhere", () => {
  for (
    const url of [
      "",
      "libsql://db.example",
      "https://db.example:8443/dev/one",
      "http://127.0.0.1:8080",
      "http://[fd00::1]:8080/one",
    ]
  ) {
    const env = { TESSERAS_STORAGE_STATE_URL: url, TESSERAS_STATE_TOKEN: "x" };
    assertEquals(readConfig({ env }).storage.state_url, url);
  }
  for (
    const url of [
      "https://me:hunter2@db.example/one",
      "libsql://db.example?authToken=hunter2",
      "https://db.example/#hunter2",
    ]
  ) {
    assertThrowsCode(
      () => readConfig({ env: { TESSERAS_STORAGE_STATE_URL: url } }),
      "unusable",
      /^(?!.*hunter2).*TESSERAS_STORAGE_STATE_URL = .*\.\.\./,
    );
  }
});

Deno.test("an empty metrics address means none, and every variable of the environment has its setting", () => {
  const none = readConfig({ flags: flag("observability.metrics_addr", "") });
  assertEquals(none.observability.metrics_addr, "");
  const env: Record<string, string> = { PATH: "/bin" };
  for (const [section, settings] of Object.entries(SETTINGS)) {
    for (const [key, { fallback }] of Object.entries(settings)) {
      env[`TESSERAS_${section}_${key}`.toUpperCase()] = String(fallback);
    }
  }
  assertEquals(readConfig({ env }), readConfig({}));
});
