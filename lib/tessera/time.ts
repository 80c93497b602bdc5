/** Moments as text (RFC 3339, UTC, whole seconds), computed here so that the format depends on no library's calendar. */
import { TesserasError } from "@tesseras/core";
import { quoteText } from "./visible_text.ts";

const DAY_MS = 86_400_000;
/** Days from 0000-03-01 to 1970-01-01 in the Gregorian calendar. */
const EPOCH_DAYS = 719_468;
/** Days of 400 years, after which the calendar repeats. */
const ERA_DAYS = 146_097;
/** 0001-01-01T00:00:00Z. */
const FIRST_MS = -62_135_596_800_000;
/** 9999-12-31T23:59:59Z. */
const LAST_MS = 253_402_300_799_000;

/**
 * `2026-02-14T11:00:00Z` of Unix milliseconds, cut to the second.
 *
 * @throws `unusable` for a moment outside the years 1 to 9999
 */
export function printTime(ms: number): string {
  if (!isPrintableTime(ms)) {
    throw new TesserasError(
      "unusable",
      `Cannot write time: ${ms} ms is outside the years 1 to 9999`,
    );
  }
  const days = Math.floor(ms / DAY_MS);
  const seconds = Math.floor((ms - days * DAY_MS) / 1_000);
  const { year, month, day } = dateOf(days);
  const time = [seconds / 3_600, seconds / 60 % 60, seconds % 60];
  return `${digits(year, 4)}-${digits(month, 2)}-${digits(day, 2)}T${
    time.map((part) => digits(Math.floor(part), 2)).join(":")
  }Z`;
}

/** Whether a moment lies in the years 1 to 9999. */
export function isPrintableTime(ms: number): boolean {
  return ms >= FIRST_MS && ms < LAST_MS + 1_000;
}

/**
 * Unix milliseconds of the text that {@link printTime} writes.
 *
 * @throws `malformed` for any other text, dates and times that do not exist included
 */
export function parseTime(text: string): number {
  const match = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)Z$/.exec(text);
  if (match !== null) {
    const [year, month, day, hour, minute, second] = match.slice(1)
      .map(Number) as [number, number, number, number, number, number];
    const ms = daysOf(year, month, day) * DAY_MS +
      ((hour * 60 + minute) * 60 + second) * 1_000;
    // Printing it again finds the 31st of February and the 25th hour.
    if (ms >= FIRST_MS && ms <= LAST_MS && printTime(ms) === text) return ms;
  }
  throw new TesserasError(
    "malformed",
    `Cannot read time ${quoteText(text)}: wanted the form 2026-02-14T11:00:00Z`,
  );
}

/** Date of a day since 1970 (Hinnant, "chrono-compatible low-level date algorithms": years begin in March). */
function dateOf(
  days: number,
): { readonly year: number; readonly month: number; readonly day: number } {
  const shifted = days + EPOCH_DAYS;
  const era = Math.floor(shifted / ERA_DAYS);
  const dayOfEra = shifted - era * ERA_DAYS;
  const yearOfEra = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1_460) + Math.floor(dayOfEra / 36_524) -
      Math.floor(dayOfEra / 146_096)) / 365,
  );
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) -
    Math.floor(yearOfEra / 100));
  const marchMonth = Math.floor((5 * dayOfYear + 2) / 153);
  const day = dayOfYear - Math.floor((153 * marchMonth + 2) / 5) + 1;
  const month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9;
  return { year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day };
}

/** The inverse of {@link dateOf}. */
function daysOf(year: number, month: number, day: number): number {
  const marchYear = month <= 2 ? year - 1 : year;
  const era = Math.floor(marchYear / 400);
  const yearOfEra = marchYear - era * 400;
  const marchMonth = month > 2 ? month - 3 : month + 9;
  const dayOfYear = Math.floor((153 * marchMonth + 2) / 5) + day - 1;
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) -
    Math.floor(yearOfEra / 100) + dayOfYear;
  return era * ERA_DAYS + dayOfEra - EPOCH_DAYS;
}

function digits(value: number, count: number): string {
  return String(value).padStart(count, "0");
}
