// The visible part of the run, and the format of times.

const kSpanMin = 1000;  // ns
const kGutter = 108;    // for names, in pixels

class View {
  // `all`: the length of the run.
  constructor(all) {
    this.all = all;
    this.width = 1;
    this.showAll();
  }

  get span() { return this.to - this.from; }
  get plotWidth() { return Math.max(this.width - kGutter, 1); }

  x(time) { return kGutter + (time - this.from) / this.span * this.plotWidth; }
  time(x) { return this.from + (x - kGutter) / this.plotWidth * this.span; }

  showAll() {
    this.from = 0;
    this.to = this.all;
  }

  // Limits the view to the run, and to at least kSpanMin.
  show(from, span) {
    span = Math.min(Math.max(span, kSpanMin), this.all);
    this.from = Math.min(Math.max(from, 0), this.all - span);
    this.to = this.from + span;
  }

  // Zooms such that `time` stays in place.
  zoom(factor, time = (this.from + this.to) / 2) {
    const span = Math.min(Math.max(this.span * factor, kSpanMin), this.all);
    this.show(time - (time - this.from) * span / this.span, span);
  }

  pan(share) { this.show(this.from + share * this.span, this.span); }

  // Moves just far enough to show `time`, with a margin.
  reveal(time) {
    const margin = this.span * 0.08;
    if (time < this.from + margin) this.show(time - this.span / 3, this.span);
    if (time > this.to - margin) this.show(time - this.span * 2 / 3, this.span);
  }
}

const kUnits = [[1e9, "s"], [1e6, "ms"], [1e3, "µs"], [1, "ns"]];

// With the number of digits that `precision` needs: "1.250 s".
function timeText(time, precision = 1) {
  if (time === 0) return "0";
  const [size, unit] =
      kUnits.find(([unitSize]) => Math.abs(time) >= unitSize) ?? kUnits[3];
  const digits = Math.min(Math.max(Math.ceil(Math.log10(size / precision)), 0), 9);
  return `${(time / size).toFixed(digits)} ${unit}`;
}

// All labels in the same unit, so that they line up.
function stampText(time) {
  return `${(time / 1e9).toFixed(time % 1e6 === 0 ? 3 : 6)} s`;
}

// Ticks at round numbers, about 120 pixels apart.
function ticks(view) {
  const rough = view.span / Math.max(view.plotWidth / 120, 1);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((n) => n * power).find((size) => size >= rough);
  const times = [];
  const first = Math.ceil(view.from / step) * step;
  for (let time = first; time <= view.to; time += step) times.push(time);
  return {step, times};
}
