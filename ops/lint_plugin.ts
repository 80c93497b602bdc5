/** Our own lint rules: what a reviewer would otherwise have to look for by hand. */

const FILE_LINES_MAX = 400;
const FUNCTION_LINES_MAX = 60;

/** Reaching for these hides a dependency and breaks the replay of simulations. */
const AMBIENT = new Set([
  "Date.now",
  "Math.random",
  "performance.now",
  "crypto.getRandomValues",
  "crypto.randomUUID",
  "crypto.subtle",
  "AbortSignal.timeout",
  "Deno.env",
]);
const TIMERS = new Set([
  "setTimeout",
  "setInterval",
  "fetch",
  "queueMicrotask",
]);

/** Adapters touch the world by purpose; everything else in `lib/` takes it as a parameter. */
const ADAPTER =
  /\/lib\/(run\/|core\/system\.ts|crypto\/native\.ts|net\/quic\w*\.ts|relay\/(datagrams|open|kernel\w*)\.ts|blobs\/disk\w*\.ts|state\/libsql\w*\.ts|archive\/(folder\w*|tar_file|source_file|disk_error)\.ts)/;
/** Tests and what they stand on: long tables of cases are no logic. */
const TEST = /_(test|bench)\.ts$|_for_tests\.ts$|\/tests\//;

function isPureLibrary(filename: string): boolean {
  return filename.includes("/lib/") && !ADAPTER.test(filename) &&
    !TEST.test(filename);
}

type FunctionNode =
  | Deno.lint.FunctionDeclaration
  | Deno.lint.FunctionExpression
  | Deno.lint.ArrowFunctionExpression;

const fileLength: Deno.lint.Rule = {
  create(context) {
    return {
      Program(node) {
        const lines = context.sourceCode.text.split("\n").length - 1;
        const generated = /_kernel\.ts$/.test(context.filename);
        if (lines > FILE_LINES_MAX && !generated) {
          context.report({
            node,
            message: `File has ${lines} lines, limit is ${FILE_LINES_MAX}`,
          });
        }
      },
    };
  },
};

const functionLength: Deno.lint.Rule = {
  create(context) {
    const check = (node: FunctionNode): void => {
      if (TEST.test(context.filename)) return;
      const lines = context.sourceCode.getText(node).split("\n").length;
      if (lines > FUNCTION_LINES_MAX) {
        context.report({
          node,
          message:
            `Function has ${lines} lines, limit is ${FUNCTION_LINES_MAX}`,
        });
      }
    };
    return {
      FunctionDeclaration: check,
      FunctionExpression: check,
      ArrowFunctionExpression: check,
    };
  },
};

const namedExports: Deno.lint.Rule = {
  create(context) {
    return {
      ExportDefaultDeclaration(node) {
        if (context.filename.endsWith("lint_plugin.ts")) return;
        context.report({ node, message: "Use a named export" });
      },
      ExportAllDeclaration(node) {
        context.report({ node, message: "List the exported names" });
      },
    };
  },
};

const noAmbient: Deno.lint.Rule = {
  create(context) {
    if (!isPureLibrary(context.filename)) return {};
    return {
      MemberExpression(node) {
        const text = context.sourceCode.getText(node);
        if (AMBIENT.has(text)) {
          context.report({ node, message: `Take ${text} from Runtime` });
        }
      },
      CallExpression(node) {
        const text = context.sourceCode.getText(node.callee);
        if (TIMERS.has(text)) {
          context.report({ node, message: `Take ${text} from Runtime` });
        }
      },
    };
  },
};

const noTypeEscape: Deno.lint.Rule = {
  create(context) {
    return {
      TSEnumDeclaration(node) {
        context.report({ node, message: "Use a union of literals" });
      },
      TSModuleDeclaration(node) {
        context.report({ node, message: "Use modules" });
      },
    };
  },
};

const plugin: Deno.lint.Plugin = {
  name: "tesseras",
  rules: {
    "file-length": fileLength,
    "function-length": functionLength,
    "named-exports": namedExports,
    "no-ambient": noAmbient,
    "no-enum": noTypeEscape,
  },
};
export default plugin;
