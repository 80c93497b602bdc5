/** A command line that cannot be used. */
import { TesserasError } from "@tesseras/core";

/** Like any failure, and ends with exit code 2: nothing was done, and trying the same again is of no use. */
export class UsageError extends TesserasError {
  /** @param message as of every {@link TesserasError} */
  constructor(message: string) {
    super("unusable", message);
  }
}
