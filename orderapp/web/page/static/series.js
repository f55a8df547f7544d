/* What the chart draws: the API's buckets of time as bars. */

const BUCKET_S = 10;
const LEAST_SPAN_S = 300;
const MOST_SPAN_S = 3600;
/** Widths of a bar; the first that needs no more than so many bars is taken. */
const STEPS_S = [10, 30, 60];
const MOST_BARS = 90;

/** `[times, orders, alerts]` and the bar's width, at `at` (Unix time in s), from the API's
    buckets, which leave out what is empty. The last bar is still filling. */
export function series(activity, at) {
  const now = Math.floor(at / BUCKET_S) * BUCKET_S;
  const first = activity[0]?.start ?? now;
  const span = Math.min(Math.max(now - first, LEAST_SPAN_S), MOST_SPAN_S);
  const step = STEPS_S.find((seconds) => span / seconds <= MOST_BARS) ?? STEPS_S.at(-1);
  const last = Math.floor(now / step) * step;
  const times = [];
  const begin = last - Math.ceil(span / step) * step;
  for (let time = begin; time <= last; time += step) times.push(time);
  const columns = [times, times.map(() => 0), times.map(() => 0)];
  for (const { start, orders, alerts } of activity) {
    const index = Math.floor((start - times[0]) / step);
    if (index < 0 || index >= times.length) continue;
    columns[1][index] += orders;
    columns[2][index] += alerts;
  }
  return { columns, step };
}
