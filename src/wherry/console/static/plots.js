// Plots of a task's replication: how fast it was sent, and how fast the source changed. The samples are counters; what
// is drawn between two of them is their mean rate, so that nothing is made up where they are far apart.

const LEAST_MS = 4000;
const HEIGHT = 190;

export function watchPlots() {
  const element = document.querySelector("[data-samples]");
  if (!element) return;
  document.addEventListener("DOMContentLoaded", () => new Plot(element).begin());
}

class Plot {
  constructor(element) {
    this.element = element;
    this.drawn = null;
    this.fetchedAt = 0;
    this.data = null;
  }

  begin() {
    this.fetch();
    document.addEventListener("wherry:put", () => {
      if (Date.now() - this.fetchedAt > LEAST_MS) this.fetch();
    });
    document.addEventListener("wherry:theme", () => this.draw());
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
    new ResizeObserver(() => this.drawn?.setSize(this.size())).observe(this.element);
  }

  async fetch() {
    this.fetchedAt = Date.now();
    try {
      const answer = await fetch(this.element.dataset.samples, { cache: "no-store" });
      if (!answer.ok) return;
      this.data = rates((await answer.json()).samples);
    } catch {
      return; // the control plane is away: what is drawn stays
    }
    if (this.drawn && this.data[0].length > 1) this.drawn.setData(this.data);
    else this.draw();
  }

  size() {
    return { width: Math.max(200, this.element.clientWidth), height: HEIGHT };
  }

  draw() {
    this.drawn?.destroy();
    this.drawn = null;
    const enough = this.data !== null && this.data[0].length > 1;
    this.element.closest("[data-plot]").hidden = !enough;
    if (!enough) return;
    const style = getComputedStyle(this.element);
    const colour = (name) => style.getPropertyValue(name).trim();
    const probe = document.createElement("span");
    this.element.append(probe);
    const resolved = (name) => {
      probe.style.color = colour(name);
      return getComputedStyle(probe).color;
    };
    const [sent, changed, line, quiet] = ["--busy", "--warm", "--line", "--quiet"].map(resolved);
    probe.remove();
    const axis = { stroke: quiet, grid: { stroke: line, width: 1 }, ticks: { stroke: line }, font: "12px system-ui, sans-serif" };
    const series = (label, stroke) => ({ label, stroke, width: 1.75, spanGaps: false, points: { show: false }, value: shown });
    const { time, sentLabel, changedLabel } = this.element.dataset;
    this.drawn = new globalThis.uPlot(
      {
        ...this.size(),
        scales: { y: { range: (_plot, _low, high) => [0, Math.max(1, high * 1.1)] } },
        axes: [axis, { ...axis, size: 62, values: (_plot, values) => values.map((value) => `${value}`) }],
        series: [{ label: time }, series(sentLabel, sent), series(changedLabel, changed)],
      },
      this.data,
      this.element,
    );
  }
}

function shown(_plot, value) {
  return value === null || value === undefined ? "–" : `${value.toFixed(value < 10 ? 2 : 0)} Mbit/s`;
}

// Counters to mean rates in Mbit/s, by the end of each span of time in seconds. A counter that fell begins anew.
function rates(samples) {
  const times = [];
  const sent = [];
  const changed = [];
  for (let index = 1; index < samples.length; index += 1) {
    const [before, after] = [samples[index - 1], samples[index]];
    const seconds = (after.at - before.at) / 1000;
    times.push(after.at / 1000);
    sent.push(rate(after.wire_bytes - before.wire_bytes, seconds));
    // The first pass sends everything, changed or not.
    changed.push(before.pass_number > 0 ? rate(after.changed_bytes - before.changed_bytes, seconds) : null);
  }
  return [times, sent, changed];
}

function rate(bytes, seconds) {
  return bytes < 0 || seconds <= 0 ? null : (bytes * 8) / 1e6 / seconds;
}
