/** `tes completions`: scripts for shells, made from the table of commands. */
import {
  COMMANDS,
  type CommandSpec,
  GLOBAL_OPTIONS,
  type OptionSpec,
  SHELLS,
} from "../command_table.ts";
import { argumentAt, type Context, type Outcome } from "../context.ts";
import { didYouMean } from "../nearest.ts";
import { UsageError } from "../usage_error.ts";

const SCRIPTS: Readonly<Record<typeof SHELLS[number], () => string>> = {
  bash,
  zsh,
  fish,
};

/** Prints the script of one shell. */
export function completions(context: Context): Promise<Outcome> {
  const word = argumentAt(context, 0);
  const shell = SHELLS.find((one) => one === word);
  if (shell === undefined) {
    throw new UsageError(
      `Cannot make completions for ${
        JSON.stringify(word.slice(0, 80))
      }: wanted ${SHELLS.join(", ")}${didYouMean(word, SHELLS)}`,
    );
  }
  const script = SCRIPTS[shell]();
  return Promise.resolve({
    json: { shell, script },
    lines: script.split("\n"),
  });
}

function bash(): string {
  const names = COMMANDS.map(({ name }) => name).join(" ");
  return `# bash completion of tes
_tes() {
  local word="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}" command="" at
  for ((at = 1; at < COMP_CWORD; at++)); do
    case "\${COMP_WORDS[at]}" in
      --data-dir) ((at++)) ;;
      -*) ;;
      *) command="\${COMP_WORDS[at]}"; break ;;
    esac
  done
  COMPREPLY=()
  case "$previous" in
    --data-dir) COMPREPLY=($(compgen -d -- "$word")); return ;;
  esac
  case "$command" in
    "") COMPREPLY=($(compgen -W "${names} ${
    flagsOf(GLOBAL_OPTIONS)
  }" -- "$word")) ;;
${COMMANDS.map(bashCase).join("\n")}
  esac
}
complete -o filenames -F _tes tes`;
}

function bashCase(command: CommandSpec): string {
  const flags = flagsOf([...command.options, ...GLOBAL_OPTIONS]);
  const words = wordsOf(command).join(" ");
  const completes = takesFiles(command)
    ? '$(compgen -f -- "$word")'
    : `$(compgen -W "${words}" -- "$word")`;
  return `    ${command.name})
      if [[ "$word" == -* ]]; then COMPREPLY=($(compgen -W "${flags}" -- "$word"))
      else COMPREPLY=(${completes}); fi ;;`;
}

function zsh(): string {
  return `#compdef tes
_tes() {
  local state line
  local -a commands
  commands=(
${
    COMMANDS.map(({ name, summary }) => `    ${inQuotes(`${name}:${summary}`)}`)
      .join("\n")
  }
  )
  _arguments -C \\
${zshOptions(GLOBAL_OPTIONS)}
    '1: :->command' \\
    '*:: :->rest'
  case $state in
    command) _describe command commands ;;
    rest)
      case $line[1] in
${COMMANDS.map(zshCase).join("\n")}
      esac ;;
  esac
}
if [ "$funcstack[1]" = "_tes" ]; then _tes "$@"; else compdef _tes tes; fi`;
}

function zshCase(command: CommandSpec): string {
  const places = command.arguments.map((place, at) => {
    const { completes } = place;
    const action = completes === "files"
      ? "_files"
      : `(${wordsOf({ ...command, arguments: [place] }).join(" ")})`;
    return `    ${inQuotes(`${at + 1}:${zshText(place.name)}:${action}`)} \\`;
  });
  return `        ${command.name}) _arguments \\
${[zshOptions([...command.options, ...GLOBAL_OPTIONS]), ...places].join("\n")}
    && return 0 ;;`;
}

function zshOptions(options: readonly OptionSpec[]): string {
  return options.map(({ name, value, help }) => {
    const action = name === "data-dir" ? "_files -/" : "";
    const suffix = value === undefined ? "" : `:value:${action}`;
    return `    ${inQuotes(`--${name}[${zshText(help)}]${suffix}`)} \\`;
  }).join("\n");
}

function fish(): string {
  const global = GLOBAL_OPTIONS.map((option) => fishOption(option, ""));
  const names = COMMANDS.map(({ name }) => name).join(" ");
  const none = inQuotes(`not __fish_seen_subcommand_from ${names}`);
  const commands = COMMANDS.map(({ name, summary }) =>
    `complete -c tes -n ${none} -f -a ${name} -d ${inQuotes(summary)}`
  );
  return [
    "# fish completion of tes",
    ...global,
    ...commands,
    ...COMMANDS.flatMap(fishCommand),
  ].join("\n");
}

function fishCommand(command: CommandSpec): readonly string[] {
  const seen = `-n '__fish_seen_subcommand_from ${command.name}' `;
  const words = wordsOf(command);
  return [
    ...(takesFiles(command) ? [] : [`complete -c tes ${seen}-f`]),
    ...(words.length === 0
      ? []
      : [`complete -c tes ${seen}-a ${inQuotes(words.join(" "))}`]),
    ...command.options.map((option) => fishOption(option, seen)),
  ];
}

function fishOption({ name, short, value, help }: OptionSpec, when: string) {
  const letter = short === undefined ? "" : `-s ${short} `;
  const files = name === "data-dir"
    ? "-r -a '(__fish_complete_directories)' "
    : "-x ";
  return `complete -c tes ${when}-l ${name} ${letter}${
    value === undefined ? "" : files
  }-d ${inQuotes(help)}`;
}

function flagsOf(options: readonly OptionSpec[]): string {
  return options.map(({ name }) => `--${name}`).join(" ");
}

function takesFiles(command: CommandSpec): boolean {
  return command.arguments.some(({ completes }) => completes === "files");
}

function wordsOf(command: CommandSpec): readonly string[] {
  if (command.name === "help") return COMMANDS.map(({ name }) => name);
  return command.arguments.flatMap(({ completes }) =>
    completes === undefined || completes === "files" ? [] : completes
  );
}

/** What `_arguments` of zsh would read as its own marks. */
function zshText(text: string): string {
  return text.replace(/[[\]:\\]/g, "\\$&");
}

/** One word for a shell. */
function inQuotes(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
