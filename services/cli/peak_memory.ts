/** How much memory this process has taken. */

/** The most resident memory so far, in bytes; `undefined` where the system does not tell (Linux: proc(5), `VmHWM`). */
export function peakResidentBytes(): number | undefined {
  if (Deno.build.os !== "linux") return undefined;
  try {
    const status = Deno.readTextFileSync("/proc/self/status");
    const kibibytes = /^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1];
    return kibibytes === undefined ? undefined : Number(kibibytes) * 1024;
  } catch (error) {
    // A sandbox may hide it, or Deno ask for a permission we do not need otherwise.
    const hidden = error instanceof Deno.errors.NotFound ||
      error instanceof Deno.errors.PermissionDenied ||
      error instanceof Deno.errors.NotCapable;
    if (hidden) return undefined;
    throw error;
  }
}
