// A device's readings as a chart: the mean as a line in the band between lowest and highest, thresholds as
// dashed lines, alarms as marks where they began, and silence as a gap. Colours come from the page's tokens.

const uPlot = window.uPlot;

function token(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function colours() {
  return {
    ink: token("--ink"),
    quiet: token("--quiet"),
    line: token("--line"),
    paper: token("--paper"),
    accent: token("--accent"),
    critical: token("--critical"),
    major: token("--major"),
    minor: token("--minor"),
    info: token("--quiet"),
  };
}

function drawThresholds(plot, lines, palette) {
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.font = `${12 * devicePixelRatio}px system-ui, sans-serif`;
  ctx.textBaseline = "bottom";
  ctx.textAlign = "left";
  for (const line of lines) {
    const y = plot.valToPos(line.value, "y", true);
    if (y < bbox.top || y > bbox.top + bbox.height) continue;
    ctx.strokeStyle = palette[line.severity] ?? palette.quiet;
    ctx.fillStyle = ctx.strokeStyle;
    ctx.lineWidth = devicePixelRatio;
    ctx.setLineDash([6 * devicePixelRatio, 4 * devicePixelRatio]);
    ctx.beginPath();
    ctx.moveTo(bbox.left, y);
    ctx.lineTo(bbox.left + bbox.width, y);
    ctx.stroke();
    ctx.fillText(line.label, bbox.left + 6 * devicePixelRatio, y - 2 * devicePixelRatio);
  }
  ctx.restore();
}

function drawAlarms(plot, alarms, palette) {
  const { ctx, bbox } = plot;
  const size = 6 * devicePixelRatio;
  ctx.save();
  for (const alarm of alarms) {
    const x = Math.max(bbox.left, plot.valToPos(alarm.t, "x", true));
    if (x > bbox.left + bbox.width) continue;
    ctx.strokeStyle = palette[alarm.severity] ?? palette.quiet;
    ctx.fillStyle = ctx.strokeStyle;
    ctx.lineWidth = devicePixelRatio;
    // In a trial: what today's rules give hangs hollow at the bottom, what the changed ones give stands at the top.
    const old = alarm.side === "old";
    const edge = old ? bbox.top + bbox.height : bbox.top;
    const tip = old ? edge - size * 1.5 : edge + size * 1.5;
    ctx.setLineDash(old ? [2 * devicePixelRatio, 3 * devicePixelRatio] : []);
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    ctx.setLineDash([]);
    ctx.beginPath();
    ctx.moveTo(x - size, edge);
    ctx.lineTo(x + size, edge);
    ctx.lineTo(x, tip);
    ctx.closePath();
    if (old) ctx.stroke();
    else ctx.fill();
  }
  ctx.restore();
}

function valueWords(series, value) {
  if (value === null || value === undefined) return "–";
  if (series.values) return series.values[Math.round(value)] ?? String(value);
  return `${Math.round(value * 10) / 10}${series.unit ? ` ${series.unit}` : ""}`;
}

function yRange(series, lowest, highest) {
  if (series.values) return [-0.25, series.values.length - 0.75];
  const levels = series.lines.map((line) => line.value).filter((value) => value >= (series.minimum ?? -Infinity));
  const known = [lowest, highest, ...levels].filter((value) => Number.isFinite(value));
  if (known.length === 0) return [0, 1];
  const low = Math.min(...known);
  const high = Math.max(...known);
  if (series.unit === "%") return [Math.min(0, low), Math.max(100, high)];
  const room = (high - low) * 0.1 || Math.abs(high) * 0.1 || 1;
  return [low - room, high + room];
}

function axes(series, palette, zone) {
  const shared = { stroke: palette.quiet, grid: { stroke: palette.line, width: 1 }, ticks: { stroke: palette.line } };
  const span = series.to - series.from;
  const format = new Intl.DateTimeFormat(document.documentElement.lang, {
    timeZone: zone,
    ...(span > 2 * 86400 ? { month: "numeric", day: "numeric" } : { hour: "2-digit", minute: "2-digit", hourCycle: "h23" }),
  });
  const step = [300, 600, 900, 1800, 3600, 7200, 14400, 21600, 28800, 43200, 86400, 172800, 432000, 604800, 1209600, 2592000, 5184000];
  return [
    { ...shared, incrs: step, space: 56, size: 32, values: (_, ticks) => ticks.map((tick) => format.format(tick * 1000)) },
    {
      ...shared,
      size: series.values ? 96 : 48,
      incrs: series.values ? [1] : undefined,
      values: (_, ticks) =>
        ticks.map((tick) => (series.values ? (series.values[tick] ?? "") : String(Math.round(tick * 100) / 100))),
    },
  ];
}

function options(holder, series) {
  const palette = colours();
  const zone = holder.dataset.zone;
  const stepped = series.values ? uPlot.paths.stepped({ align: 1 }) : undefined;
  const moment = new Intl.DateTimeFormat(document.documentElement.lang, {
    timeZone: zone,
    dateStyle: "short",
    timeStyle: "short",
    hourCycle: "h23",
  });
  const band = { stroke: "transparent", points: { show: false } };
  return {
    width: holder.clientWidth,
    height: Math.max(220, Math.min(360, Math.round(holder.clientWidth * 0.45))),
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false } },
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), zone),
    scales: {
      x: { time: true, range: () => [series.from, series.to] },
      y: { range: (_, lowest, highest) => yRange(series, lowest, highest) },
    },
    axes: axes(series, palette, zone),
    series: [
      {},
      { ...band },
      { ...band },
      { stroke: palette.accent, width: 2, paths: stepped, points: { show: series.t.length < 60 }, spanGaps: false },
    ],
    bands: series.values ? [] : [{ series: [2, 1], fill: `${palette.accent}26` }],
    hooks: {
      drawAxes: [(plot) => drawThresholds(plot, series.lines, palette)],
      draw: [(plot) => drawAlarms(plot, series.alarms, palette)],
      setCursor: [
        (plot) => {
          const at = plot.cursor.idx;
          const words = at === null || at === undefined ? "" : valueWords(series, series.mean[at]);
          holder.nextElementSibling.textContent = words && `${moment.format(series.t[at] * 1000)}　${words}`;
        },
      ],
    },
  };
}

async function draw(holder) {
  const response = await fetch(holder.dataset.series, { headers: { Accept: "application/json" } });
  if (!response.ok) throw new Error(`${response.status}`);
  const series = await response.json();
  holder.replaceChildren();
  if (!series.mean.some((value) => value !== null)) {
    holder.textContent = holder.dataset.empty;
    return;
  }
  const build = () => {
    holder.replaceChildren();
    return new uPlot(options(holder, series), [series.t, series.min, series.max, series.mean], holder);
  };
  let plot = build();
  new ResizeObserver(() => {
    if (plot.width !== holder.clientWidth) {
      const { width, height } = options(holder, series);
      plot.setSize({ width, height });
    }
  }).observe(holder);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    plot = build();
  });
  holder.dataset.drawn = String(series.t.length);
}

for (const holder of document.querySelectorAll("[data-series]")) {
  draw(holder).catch(() => {
    holder.textContent = holder.dataset.failed;
  });
}
