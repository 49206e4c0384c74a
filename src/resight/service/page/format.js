/** Figures, times and durations as people read them: in English, and in the time zone of whoever looks. */

const LOCALE = "en-GB";
const DAY = new Intl.DateTimeFormat(LOCALE, { day: "numeric", month: "short", year: "numeric" });
const CLOCK = new Intl.DateTimeFormat(LOCALE, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const MINUTES = new Intl.DateTimeFormat(LOCALE, { hour: "2-digit", minute: "2-digit" });
const MONTH_DAY = new Intl.DateTimeFormat(LOCALE, { day: "numeric", month: "short" });
const OFFSET = new Intl.DateTimeFormat(LOCALE, { timeZoneName: "longOffset" });
const COUNT = new Intl.NumberFormat(LOCALE);
const SECONDS_OF_DAY = 86_400;

export const count = (number) => COUNT.format(number);

/** "1 sighting", "1,146 sightings". */
export const counted = (number, one, many = `${one}s`) => `${count(number)} ${number === 1 ? one : many}`;

export const day = (date) => DAY.format(date);
export const clock = (date) => CLOCK.format(date);
export const moment = (date) => `${day(date)}, ${clock(date)}`;
export const distance = (number) => number.toFixed(3);
export const percent = (rate) => `${Number((100 * rate).toPrecision(2))} %`;

/** "23 Nov 2026, 10:02:33 to 10:31:00", with the second day only if it is another. */
export const range = (first, last) => `${moment(first)} to ${day(first) === day(last) ? clock(last) : moment(last)}`;

/** The label of a tick on an axis with ticks so many seconds apart. */
export function tick(date, step) {
  if (step >= SECONDS_OF_DAY || (step >= 3600 && date.getHours() === 0)) return MONTH_DAY.format(date);
  return (step >= 60 ? MINUTES : CLOCK).format(date);
}

/** "Europe/Berlin, UTC+01:00". */
export function zone() {
  const offset = OFFSET.formatToParts(new Date()).find((part) => part.type === "timeZoneName").value;
  const name = Intl.DateTimeFormat().resolvedOptions().timeZone;
  return name === "UTC" ? name : `${name}, ${offset.replace("GMT", "UTC")}`;
}

/** "30 days", "12 hours". */
export function duration(seconds) {
  for (const [unit, name] of [
    [SECONDS_OF_DAY, "day"],
    [3600, "hour"],
    [60, "minute"],
  ]) {
    if (seconds >= unit) return counted(Number((seconds / unit).toPrecision(3)), name);
  }
  return counted(seconds, "second");
}
