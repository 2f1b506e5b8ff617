// The plot: what is drawn is bounded by the screen's width, whatever the time shown.

const COLUMNS = 360;
const AXES = 2;
const LIGHT = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#4d4d4d", "#a89a00"];
const DARK = ["#56b4e9", "#e69f00", "#1fbf94", "#e08fbd", "#f0e442", "#f07a2b", "#5277ee", "#e8e8e8"];

const darkness = matchMedia("(prefers-color-scheme: dark)");

/** Return the colour of the n-th channel; they repeat after eight. */
export function colour(index) {
  return (darkness.matches ? DARK : LIGHT)[index % LIGHT.length];
}

export function whenThemeChanges(call) {
  darkness.addEventListener("change", call);
}

/** What has no unit has a scale of its own: numbers without one need not be alike. */
function scaleOf(curve) {
  return curve.unit || curve.name;
}

/** Return those of the curves that have no axis: there is room for two. */
export function withoutAxis(curves) {
  const scales = [...new Set(curves.map(scaleOf))].slice(AXES);
  return curves.filter((curve) => scales.includes(scaleOf(curve)));
}

/** Gather spans {time, low, high}, which rise in time, into columns of the picture. */
function gathered(spans, from, width) {
  const columns = [];
  for (const span of spans) {
    if (span.time < from - width) continue;
    const number = Math.floor(span.time / width);
    const last = columns[columns.length - 1];
    if (last !== undefined && last.number === number) {
      last.low = Math.min(last.low, span.low);
      last.high = Math.max(last.high, span.high);
    } else {
      columns.push({ number, time: span.time, low: span.low, high: span.high });
    }
  }
  return columns;
}

/** Return after how long without a reading a curve is broken: it is no line where nothing was measured. */
function longestStep(columns, width) {
  const steps = columns.slice(1).map((column, n) => column.time - columns[n].time).sort((a, b) => a - b);
  return Math.max(2, 3 * width, 5 * (steps[steps.length >> 1] ?? 0));
}

/** Return points [time, value or null] of a curve: low and high of each column, null where it is broken. */
function points(spans, from, width) {
  const columns = gathered(spans, from, width), longest = longestStep(columns, width), found = [];
  let before;
  for (const column of columns) {
    if (before !== undefined && column.time - before.time > longest) found.push([before.time + width, null]);
    const isFalling = before !== undefined && before.high - column.high > column.low - before.low;
    const [first, second] = isFalling ? [column.high, column.low] : [column.low, column.high];
    found.push([column.time, first]);
    if (first !== second) found.push([column.time + width / 2, second]);
    before = column;
  }
  return found;
}

export class Plot {
  /** @param {HTMLElement} element where it is drawn; its width is followed. */
  constructor(element) {
    this.element = element;
    this.chart = null;
    this.key = "";
    this.range = [0, 1];
    this.moments = [];
    new ResizeObserver(() => this.chart?.setSize(this.size())).observe(element);
  }

  size() {
    return { width: Math.max(this.element.clientWidth, 100), height: Math.max(this.element.clientHeight, 100) };
  }

  /**
   * Draw curves from a time to another, in Unix seconds.
   * @param curves [{name, unit, colour, spans: [{time, low, high}]}], spans rising in time
   * @param spanS how long a span is at least
   * @param moments times at which to draw an upright line
   */
  draw(curves, from, to, spanS, moments) {
    this.range = [from, to];
    this.moments = moments;
    const width = Math.max(spanS, (to - from) / COLUMNS);
    const all = curves.map((curve) => new Map(points(curve.spans, from, width)));
    const times = [...new Set(all.flatMap((curve) => [...curve.keys()]))].sort((a, b) => a - b);
    // Undefined is joined over, null is not: curves do not share their times.
    const data = [times, ...all.map((curve) => times.map((time) => curve.get(time)))];
    const key = JSON.stringify(curves.map(({ name, unit, colour }) => [name, unit, colour]));
    if (this.chart !== null && this.key === key) {
      this.chart.setData(data);
      return;
    }
    this.key = key;
    this.chart?.destroy();
    this.chart = curves.length === 0 ? null : new uPlot(this.options(curves), data, this.element);
  }

  options(curves) {
    const style = getComputedStyle(document.documentElement);
    const muted = style.getPropertyValue("--muted"), grid = style.getPropertyValue("--grid");
    const line = { stroke: grid, width: 1 };
    const font = "12px system-ui, sans-serif";
    const units = [...new Set(curves.map(scaleOf))];
    const scales = { x: { time: true, range: () => this.range } };
    for (const unit of units) scales[`y ${unit}`] = { range: (_, low, high) => uPlot.rangeNum(low ?? 0, high ?? 1, 0.1, true) };
    const axes = [{ stroke: muted, grid: line, ticks: line, font, space: 70, size: 30, values: (_, splits) => splits.map(timeOfDay) }];
    // Further ones have a scale of their own without.
    units.slice(0, AXES).forEach((unit, n) => axes.push({
      scale: `y ${unit}`, side: n === 0 ? 3 : 1, stroke: muted, font, size: axisSize, space: 36, ticks: line, values: (_, splits) => splits.map(number),
      grid: n === 0 ? line : { show: false },
      label: unit, labelSize: 18, labelFont: font, labelGap: 0,
    }));
    return {
      ...this.size(), scales, axes, cursor: { show: false }, legend: { show: false }, padding: [10, units.length > 1 ? 0 : 28, 0, 0],
      hooks: { draw: [(chart) => this.drawMoments(chart, muted)] },
      series: [{}, ...curves.map((curve) => ({
        label: curve.name, scale: `y ${scaleOf(curve)}`, stroke: curve.colour, width: 1.5, points: { show: false },
      }))],
    };
  }

  drawMoments(chart, stroke) {
    const { ctx, bbox } = chart;
    ctx.save();
    ctx.strokeStyle = stroke;
    ctx.setLineDash([4, 4]);
    for (const moment of this.moments) {
      if (moment < this.range[0] || moment > this.range[1]) continue;
      const x = Math.round(chart.valToPos(moment, "x", true));
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
    }
    ctx.restore();
  }

  forgetTheme() {
    this.key = "";
  }
}

/** As wide as its longest number. */
function axisSize(_, values) {
  return 18 + 7.5 * Math.max(2, ...(values ?? []).map((value) => value.length));
}

function number(value) {
  return Math.abs(value) >= 1e6 ? value.toExponential(1) : String(Number(value.toPrecision(6)));
}

function timeOfDay(seconds) {
  const then = new Date(seconds * 1000);
  const parts = [then.getHours(), then.getMinutes(), then.getSeconds()].map((part) => String(part).padStart(2, "0"));
  return (parts[2] === "00" ? parts.slice(0, 2) : parts).join(":");
}
