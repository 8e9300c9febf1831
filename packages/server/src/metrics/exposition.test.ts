import { expect, test } from "vitest";
import { encodeFamilies } from "./exposition.ts";

test("families are written as the text format 0.0.4 has them", () => {
  const text = encodeFamilies([
    { name: "a_total", help: 'Of "all"\nthe \\', type: "counter", samples: [{ value: 1 }, { labels: { x: 'a"b\\c\nd', y: "" }, value: 2.5 }] },
    { name: "empty", help: "Nothing", type: "gauge", samples: [] },
    { name: "odd", help: "Odd", type: "gauge", samples: [Infinity, -Infinity, NaN, 1e21, 0].map((value) => ({ value })) },
    {
      name: "took_seconds",
      help: "Took",
      type: "histogram",
      bounds: [0.1, 1],
      samples: [
        { labels: { x: "y" }, counts: [2, 0, 1], sum: 7.5 },
        { counts: [0, 0, 0], sum: 0 },
      ],
    },
  ]);
  expect(text).toBe(`# HELP a_total Of "all"\\nthe \\\\
# TYPE a_total counter
a_total 1
a_total{x="a\\"b\\\\c\\nd",y=""} 2.5
# HELP odd Odd
# TYPE odd gauge
odd +Inf
odd -Inf
odd NaN
odd 1e+21
odd 0
# HELP took_seconds Took
# TYPE took_seconds histogram
took_seconds_bucket{x="y",le="0.1"} 2
took_seconds_bucket{x="y",le="1"} 2
took_seconds_bucket{x="y",le="+Inf"} 3
took_seconds_sum{x="y"} 7.5
took_seconds_count{x="y"} 3
took_seconds_bucket{le="0.1"} 0
took_seconds_bucket{le="1"} 0
took_seconds_bucket{le="+Inf"} 0
took_seconds_sum 0
took_seconds_count 0
`);
});
