/** What `tes` understands: every command with its arguments and options. Plain data, so that help costs nothing to load. */

/** One option. */
export type OptionSpec = {
  readonly name: string;
  /** One letter. */
  readonly short?: string;
  /** What stands for its value in help, like `<LIST>`; an option without one is a flag. */
  readonly value?: string;
  readonly help: string;
};

/** One argument, in its place. */
export type ArgumentSpec = {
  /** In capitals, like `PATH`. */
  readonly name: string;
  readonly help: string;
  readonly optional?: boolean;
  /** What a shell may complete it with. */
  readonly completes?: "files" | readonly string[];
};

/** One command. */
export type CommandSpec = {
  readonly name: string;
  readonly summary: string;
  readonly arguments: readonly ArgumentSpec[];
  readonly options: readonly OptionSpec[];
  /** What a person should know beyond the options. */
  readonly notes?: string;
};

/** The version of the program. */
export const VERSION = "0.1.0";

/** Shells that completions are made for. */
export const SHELLS = ["bash", "zsh", "fish"] as const;

/** What `tes store` does. */
export const STORE_ACTIONS = ["check"] as const;

/** Options that every command takes, before or after its name. */
export const GLOBAL_OPTIONS: readonly OptionSpec[] = [
  {
    name: "data-dir",
    value: "<DATA_DIR>",
    help:
      "Base directory for data storage [default: ~/.tesseras if it is there, else the platform's data directory]",
  },
  { name: "json", help: "One JSON object on standard output, errors too" },
  { name: "quiet", short: "q", help: "No progress" },
  { name: "help", short: "h", help: "Print help" },
  { name: "version", short: "V", help: "Print version" },
];

const HASH: ArgumentSpec = {
  name: "HASH",
  help: "Content hash, or at least its first 4 digits where they are enough",
};

const NON_INTERACTIVE: OptionSpec = {
  name: "non-interactive",
  short: "n",
  help: "Skip prompts",
};

const TRACE: OptionSpec = {
  name: "trace",
  help:
    "Show every lookup the node makes meanwhile: whom it asked on which path, who named them, and what came of it",
};

const CREATE_OPTIONS: readonly OptionSpec[] = [
  NON_INTERACTIVE,
  { name: "dry-run", help: "Preview what would be included" },
  {
    name: "visibility",
    value: "<VALUE>",
    help: "Who can access it: only public in this version [default: public]",
  },
  {
    name: "language",
    value: "<CODE>",
    help: "Language code, as in en or pt-BR [default: en]",
  },
  { name: "tags", value: "<LIST>", help: "Comma-separated tags" },
  { name: "location", value: "<DESC>", help: "Location description" },
  {
    name: "title",
    value: "<TEXT>",
    help: "Title [default: name of the folder]",
  },
  {
    name: "no-location",
    help:
      "Keep no coordinates: they are left out of our copy of each JPEG and PNG; your own files stay as they are",
  },
];

/** Every command, in the order help shows them. */
export const COMMANDS: readonly CommandSpec[] = [
  {
    name: "init",
    summary: "Initialize identity and local database",
    arguments: [],
    options: [],
    notes: "Running it again changes nothing that is there.",
  },
  {
    name: "create",
    summary: "Create a tessera from a directory of files",
    arguments: [{
      name: "PATH",
      help: "Directory containing files to include",
      completes: "files",
    }],
    options: CREATE_OPTIONS,
    notes:
      `Kept are .jpg, .jpeg, .png, .wav, .webm and .txt files, up to 1 GB together. Anything else is left out, and you are told which and why.
A .txt becomes a reflection, everything else a moment. Dates and places come from the photographs themselves (JPEG and PNG).
With --no-location coordinates are overwritten wherever Exif or XMP has them. Sound and film are kept as they are: you are told of a .wav with notes in it and of a .webm with a tag for a place, which may say where it was made.`,
  },
  {
    name: "list",
    summary: "List local tesseras",
    arguments: [],
    options: [],
  },
  {
    name: "show",
    summary: "Show what a tessera is and what is in it",
    arguments: [HASH],
    options: [],
  },
  {
    name: "verify",
    summary: "Verify integrity of a stored tessera, an export or a tar of one",
    arguments: [{
      name: "HASH|DIR|TAR",
      help:
        "Content hash or its beginning, an exported directory, or a tar of one; hexadecimal digits alone are a hash",
      completes: "files",
    }],
    options: [],
    notes:
      "Checks both signatures, the hash of every file, both checksum lists, and that nothing was slipped in.",
  },
  {
    name: "export",
    summary: "Export tessera to a self-contained directory",
    arguments: [HASH, {
      name: "DEST",
      help: "Directory in which tessera-<hash> appears; made when absent",
      completes: "files",
    }],
    options: [],
  },
  {
    name: "import",
    summary: "Take in a tessera from an export or a tar of one",
    arguments: [{
      name: "DIR|TAR",
      help: "Exported directory, or a tar of one",
      completes: "files",
    }],
    options: [],
    notes:
      "Everything is verified on the way; what does not pass is not taken in.",
  },
  {
    name: "publish",
    summary: "Spread a tessera over the network through the running node",
    arguments: [HASH],
    options: [TRACE],
    notes:
      "Needs a node running on the same data directory. Running it again sends only what is still missing.",
  },
  {
    name: "fetch",
    summary: "Get a tessera back from the network through the running node",
    arguments: [{
      name: "HASH",
      help: "Content hash, all 64 digits unless the tessera is here already",
    }],
    options: [TRACE],
  },
  {
    name: "status",
    summary: "Show how far tesseras are in the network",
    arguments: [{ ...HASH, optional: true }],
    options: [{ name: "node", help: "Show the running node instead" }],
    notes:
      `Local: only on this disk. Publishing: some fragments have no holder yet. Replicated: every fragment was acknowledged by a holder. Healthy: every one was acknowledged or proved within the last 8 days.
What is shown is what the node on this data directory has found out, and stays as it was while none runs. The chance of loss is that of a model: with a HASH, what it assumes is said beside it; docs/DURABILITY.md explains it.`,
  },
  {
    name: "doctor",
    summary: "Check this data directory and its node, and say what to do",
    arguments: [],
    options: [],
    notes:
      "Looks at files and their permissions, free space, identity, configuration, ports, entrances, database, peers, clock and tesseras. It changes nothing. The exit code is 1 when there is a problem; advice can wait.",
  },
  {
    name: "delete",
    summary: "Remove a tessera from this disk",
    arguments: [HASH],
    options: [
      { name: "yes", short: "y", help: "Do not ask" },
      {
        name: "everywhere",
        help:
          "Also ask everybody who holds fragments to forget them; only its creator can, through the running node",
      },
    ],
    notes:
      `Without --everywhere, copies and fragments that others hold are not touched.
With it, a signed wish goes to every known holder, and for a year again to those who could not be reached. Holders that follow the protocol remove their fragments; copies that others made cannot be recalled. For that year the tessera cannot be published again with the same identity.`,
  },
  {
    name: "store",
    summary: "Check everything on this disk, and repair what can be",
    arguments: [{
      name: "ACTION",
      help: "check: read every blob and compare the index with the disk",
      completes: STORE_ACTIONS,
    }],
    options: [{
      name: "repair",
      help:
        "Move damaged blobs to blobs/quarantine, forget fragments that are gone, list again what is whole on the disk",
    }],
    notes:
      `Needs the node of this data directory to be stopped. Nothing is ever deleted: damaged blobs and a damaged index are moved aside.
An index that was lost or damaged is made again from the disk: tesseras by their MANIFEST and signatures, fragments of others by their plans. Who holds what of ours and the accounts with peers are in the index alone.`,
  },
  {
    name: "completions",
    summary: "Print a completion script for a shell",
    arguments: [{
      name: "SHELL",
      help: "bash, zsh or fish",
      completes: SHELLS,
    }],
    options: [],
  },
  {
    name: "help",
    summary: "Print this message or the help of the given command",
    arguments: [{
      name: "COMMAND",
      help: "Command to explain",
      optional: true,
    }],
    options: [],
  },
];
