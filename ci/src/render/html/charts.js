"use strict";
// Draws what stands as data beside each figure. Places and names of ticks come with the data; only
// a trend, which can be zoomed, names its own.
const charts = (() => {
  const drawn = new Map();
  const HEIGHT = 250;
  const DASHES = [[], [7, 4], [2, 3], [10, 3, 2, 3]];
  const root = document.documentElement;
  const colour = (name) => getComputedStyle(root).getPropertyValue(name).trim();
  const FONT = 'system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif';

  function axis(extra) {
    return {
      stroke: () => colour("--soft"), font: `12px ${FONT}`, grid: { stroke: () => colour("--faint"), width: 1 },
      ticks: { show: false }, gap: 6, ...extra,
    };
  }

  function named({ ticks }, extra) {
    const names = new Map(ticks);
    return axis({ splits: () => ticks.map(([at]) => at), values: (_, at) => at.map((one) => names.get(one)), ...extra });
  }

  // Names on the horizontal axis must not cover each other.
  function sparse(drawnAxis, width) {
    const { low, high, ticks } = drawnAxis;
    let last = -Infinity;
    const kept = ticks.filter(([at, name]) => {
      const x = high > low ? (at - low) / (high - low) * width : 0;
      const half = name.length * 3.6 + 5;
      if (x - half < last) return false;
      last = x + half;
      return true;
    });
    return { ...drawnAxis, ticks: kept };
  }

  function marks(spec, colours) {
    return (u) => {
      const { ctx, bbox } = u;
      const ratio = devicePixelRatio;
      ctx.save();
      ctx.font = `${12 * ratio}px ${FONT}`;
      spec.marks.forEach(({ at, name, of }, index) => {
        const x = Math.round(u.valToPos(at, "x", true));
        ctx.strokeStyle = ctx.fillStyle = colour(colours[of]);
        ctx.lineWidth = 1.5 * ratio;
        ctx.setLineDash(DASHES[of === 0 ? 1 : 0].map((length) => length * ratio));
        ctx.beginPath();
        ctx.moveTo(x, bbox.top);
        ctx.lineTo(x, bbox.top + bbox.height);
        ctx.stroke();
        const right = x > bbox.left + bbox.width * 0.7;
        ctx.textAlign = right ? "right" : "left";
        ctx.fillText(name, x + (right ? -5 : 5) * ratio, bbox.top + (12 + 15 * index) * ratio);
      });
      ctx.restore();
    };
  }

  function fixed(spec, width) {
    const two = spec.kind !== "many";
    const colours = two ? ["--base", "--head"] : spec.series.map((_, index) => `--s${index}`);
    const shapes = spec.kind === "shapes";
    const dash = (index) => two ? DASHES[index === 0 ? 1 : 0] : DASHES[index % 4];
    const series = spec.series.map((line, index) => ({
      label: line.name, stroke: () => colour(colours[index]), width: 2, dash: dash(index), spanGaps: !shapes,
      fill: shapes ? () => `${colour(colours[index])}2b` : undefined,
      paths: shapes ? uPlot.paths.stepped({ align: 1 }) : undefined,
      points: { show: !shapes, size: 6, fill: () => colour("--card") },
      value: (u, _, of, at) => (at === null || at === undefined ? "" : line.told[at] ?? ""),
    }));
    return {
      options: {
        width, height: HEIGHT, cursor: { drag: { x: false, y: false }, points: { size: 8 } },
        scales: {
          x: { time: false, range: () => [spec.x.low, spec.x.high > spec.x.low ? spec.x.high : spec.x.low + 1] },
          y: { range: () => [spec.y.low, spec.y.high] },
        },
        axes: [named(sparse(spec.x, width - 90), { size: 30 }), named(spec.y, { size: 76 })],
        series: [{ label: "", value: () => "" }, ...series],
        hooks: { draw: [marks(spec, colours)] },
      },
      data: [spec.xs, ...spec.series.map((line) => line.ys)],
    };
  }

  function changes(spec) {
    return (u) => {
      const { ctx, bbox } = u;
      const ratio = devicePixelRatio;
      ctx.save();
      ctx.font = `${12 * ratio}px ${FONT}`;
      ctx.strokeStyle = ctx.fillStyle = colour("--bad");
      ctx.lineWidth = ratio;
      ctx.setLineDash([4 * ratio, 3 * ratio]);
      for (const [index, name] of spec.changes) {
        const x = Math.round(u.valToPos(index, "x", true));
        if (x < bbox.left || x > bbox.left + bbox.width) continue;
        ctx.beginPath();
        ctx.moveTo(x, bbox.top);
        ctx.lineTo(x, bbox.top + bbox.height);
        ctx.stroke();
        const right = x > bbox.left + bbox.width * 0.85;
        ctx.textAlign = right ? "right" : "left";
        ctx.fillText(name, x + (right ? -4 : 4) * ratio, bbox.top + 11 * ratio);
      }
      ctx.restore();
    };
  }

  function trend(spec, width) {
    const [factor, unit] = spec.scale;
    const told = (value) => `${+(value / factor).toPrecision(4)} ${unit}`;
    const runs = spec.values.map((_, index) => index);
    const dots = runs.length < 400 ? 4 : 2.5;
    return {
      options: {
        width, height: HEIGHT, cursor: { drag: { x: true, y: false }, points: { size: 8 } },
        scales: { x: { time: false }, y: { range: (u, low, high) => uPlot.rangeNum(low, high, 0.1, true) } },
        axes: [
          axis({ size: 30, space: 90, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 100000],
            values: (_, at) => at.map((run) => spec.days[run] ?? "") }),
          axis({ size: 76, values: (_, at) => at.map(told) }),
        ],
        series: [
          { label: "run", value: (_, run) => (run === null || run === undefined ? "" : `${spec.commits[run]}, ${spec.days[run]}`) },
          { label: spec.name.replaceAll("_", " "), stroke: () => colour("--head"), paths: () => null,
            points: { show: true, size: dots, width: 0, fill: () => colour("--head") },
            value: (_, value) => (value === null || value === undefined ? "" : told(value)) },
          { label: "level", stroke: () => colour("--s1"), width: 2, paths: uPlot.paths.stepped({ align: 1 }),
            points: { show: false }, value: (_, value) => (value === null || value === undefined ? "" : told(value)) },
        ],
        hooks: { draw: [changes(spec)] },
      },
      data: [runs, spec.values, spec.levels],
    };
  }

  // Arrows move the readout, so that it needs no mouse.
  function step(event, u) {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (by === undefined) return;
    event.preventDefault();
    const last = u.data[0].length - 1;
    const index = Math.min(last, Math.max(0, (u.cursor.idx ?? (by > 0 ? -1 : last + 1)) + by));
    u.setCursor({ left: u.valToPos(u.data[0][index], "x"), top: 10 });
  }

  function draw(figure) {
    drawn.get(figure)?.destroy();
    const spec = JSON.parse(figure.querySelector("script").textContent);
    const place = figure.querySelector(".plot");
    const width = Math.max(260, place.clientWidth);
    const { options, data } = figure.className === "trend" ? trend(spec, width) : fixed(spec, width);
    options.legend = { markers: { width: 2, dash: (u, index) => (u.series[index].dash?.length ? "dashed" : "solid") } };
    const u = new uPlot(options, data, place);
    place.tabIndex = 0;
    place.setAttribute("role", "group");
    place.setAttribute("aria-label", `${figure.querySelector("figcaption").textContent}; arrow keys read values`);
    place.onkeydown = (event) => step(event, u);
    drawn.set(figure, u);
  }

  const figures = [...document.querySelectorAll("figure:has(> .plot)")];
  const seen = new IntersectionObserver((entries) => {
    for (const { isIntersecting, target } of entries) if (isIntersecting && !drawn.has(target)) draw(target);
  }, { rootMargin: "400px" });
  const again = () => [...drawn.keys()].forEach(draw);

  function start() {
    root.classList.add("js");
    figures.forEach((figure) => seen.observe(figure));
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
    // A sheet of paper is light and narrower than the window, and shows what was never scrolled to.
    addEventListener("beforeprint", () => {
      root.classList.add("paper");
      figures.filter((figure) => figure.offsetParent !== null).forEach(draw);
    });
    addEventListener("afterprint", () => { root.classList.remove("paper"); again(); });
    let wait;
    addEventListener("resize", () => { clearTimeout(wait); wait = setTimeout(again, 150); });
  }
  return { start };
})();
charts.start();
