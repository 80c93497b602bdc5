/** Memory of processes, from Linux's /proc. */

/** The most resident memory a process ever had, in bytes; `undefined` where /proc does not tell. */
export function peakBytes(pid: number): number | undefined {
  return field(pid, "VmHWM");
}

/** The resident memory of a process now, in bytes; `undefined` where /proc does not tell. */
export function residentBytes(pid: number): number | undefined {
  return field(pid, "VmRSS");
}

function field(pid: number, name: string): number | undefined {
  try {
    const status = Deno.readTextFileSync(`/proc/${pid}/status`);
    const kib = new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(status)?.[1];
    return kib === undefined ? undefined : Number(kib) * 1024;
  } catch {
    return undefined; // no /proc here, or the process is gone
  }
}
