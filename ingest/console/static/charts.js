// Draws the charts of a page with uPlot, which it loads if there is any, from the figures that the page's table has too.
// Without it the page shows bars in SVG.
"use strict";

(() => {
  const HEIGHT = 240;
  const DRAG_PIXELS = 8; // Less is a click.
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const short = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
  const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
  const cents = new Intl.NumberFormat("en", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
  const parts = new Intl.NumberFormat("en", { maximumSignificantDigits: 3 });

  const signed = (amount, write) => `${amount < 0 ? "−" : ""}$${write.format(Math.abs(amount))}`;

  const written = (kind, amount) => {
    if (amount === null || amount === undefined) return "–";
    if (kind !== "money") return whole.format(amount);
    return signed(amount, amount !== 0 && Math.abs(amount) < 0.01 ? parts : cents);
  };

  const onAxis = (kind, amount) => {
    if (kind !== "money") return short.format(amount);
    return signed(amount, Math.abs(amount) >= 1 || amount === 0 ? short : parts);
  };

  const colours = (figure) => {
    const style = getComputedStyle(figure);
    return (name) => style.getPropertyValue(`--chart-${name}`).trim();
  };

  const line = (series, number, colour, kind) => {
    const value = (_, amount) => written(kind, amount);
    if (series.role === "now") {
      const paths = uPlot.paths.bars({ size: [0.75, 60], align: 0 });
      return { label: series.name, value, stroke: colour("1"), fill: colour("fill"), paths, points: { show: false } };
    }
    if (series.role === "earlier") {
      return { label: series.name, value, stroke: colour("earlier"), width: 1.5, dash: [5, 4], points: { show: false } };
    }
    const stroke = series.role === "rest" ? colour("earlier") : colour(String(number + 1));
    return { label: series.name, value, stroke, width: 2, points: { size: 5 } };
  };

  const zoom = (figure, found) => (plot) => {
    const { left, width } = plot.select;
    if (width < DRAG_PIXELS || !figure.dataset.zoom) return;
    const target = new URL(figure.dataset.zoom, location.origin);
    target.searchParams.set("since", found.days[plot.posToIdx(left)]);
    target.searchParams.set("until", found.days[plot.posToIdx(left + width)]);
    location.assign(target);
  };

  const FORMS = {
    hour: { hour: "2-digit", minute: "2-digit", hour12: false },
    day: { day: "numeric", month: "short" },
    month: { month: "short", year: "numeric" },
  };

  const options = (figure, found, width) => {
    const colour = colours(figure);
    const axis = { stroke: colour("ink"), grid: { stroke: colour("grid"), width: 1 }, ticks: { show: false } };
    const day = new Intl.DateTimeFormat("en-GB", { ...FORMS[found.unit], timeZone: found.zone });
    const half = found.starts.length > 1 ? (found.starts[1] - found.starts[0]) / 2 : 1800; // Of a bar, beyond both ends.
    return {
      width,
      height: HEIGHT,
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), found.zone),
      cursor: { drag: { x: true, y: false, setScale: false }, points: { show: false } },
      hooks: { setSelect: [zoom(figure, found)] },
      axes: [
        { ...axis, grid: { show: false }, space: 70, values: (_, splits) => splits.map((at) => day.format(at * 1000)) },
        { ...axis, size: 64, values: (_, splits) => splits.map((amount) => onAxis(found.kind, amount)) },
      ],
      scales: {
        x: { range: (_, first, last) => [first - half, last + half] },
        y: { range: (_, low, high) => [Math.min(0, low), high > 0 ? high * 1.08 : low < 0 ? 0 : 1] },
      },
      series: [
        { label: "", value: (_plot, _at, _series, place) => (place === null ? "–" : found.labels[place]) },
        ...found.series.map((each, number) => line(each, number, colour, found.kind)),
      ],
    };
  };

  let loading = null; // Pages change without loading scripts anew, so uPlot is loaded once.
  const loaded = (figure) => {
    loading ??= new Promise((resolve, reject) => {
      const style = Object.assign(document.createElement("link"), { rel: "stylesheet", href: figure.dataset.style });
      const script = Object.assign(document.createElement("script"), { src: figure.dataset.library });
      script.addEventListener("load", resolve);
      script.addEventListener("error", reject);
      document.head.append(style, script);
    });
    return loading;
  };

  const draw = async (figure) => {
    const answer = await fetch(figure.dataset.src, { headers: { Accept: "application/json" } });
    if (!answer.ok || answer.redirected) return; // The bars stay.
    const found = await answer.json();
    await loaded(figure);
    const place = figure.querySelector(".plot");
    const data = [found.starts, ...found.series.map((each) => found.starts.map((_, place) => each.values[place] ?? null))];
    figure.classList.add("drawn");
    let plot = null;
    const again = () => {
      plot?.destroy();
      if (!figure.isConnected) return dark.removeEventListener("change", again); // Another page came in its place.
      plot = new uPlot(options(figure, found, place.clientWidth), data, place);
    };
    again();
    dark.addEventListener("change", again);
    new ResizeObserver(() => {
      const width = place.clientWidth;
      if (width && plot.width !== width) plot.setSize({ width, height: HEIGHT });
    }).observe(place);
  };

  const start = () => {
    for (const figure of document.querySelectorAll("figure.chart[data-src]:not([data-started])")) {
      figure.dataset.started = "";
      draw(figure).catch(() => figure.classList.remove("drawn"));
    }
  };

  start(); // The script is deferred.
  document.addEventListener("htmx:after:swap", start);
})();
