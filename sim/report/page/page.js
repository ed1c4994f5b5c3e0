// Assembles the page and handles user input.

const kStepKeys = {ArrowLeft: -1, ArrowRight: +1};

class Page {
  constructor(run) {
    this.run = run;
    this.filter = new Filter(run);
    this.view = new View(run.horizon);
    this.arrows = new Arrows(run);
    this.lockRows = lockRows(run);
    this.selected = undefined;
    this.lanes = new LanesPainter(document.getElementById("lanes"), this);
    this.overview = new OverviewPainter(document.getElementById("overview"), this);
    this.panel = new Panel(this);
    this.readTheme();
  }

  readTheme() {
    this.colours = readColours();
    this.lanes.hatches.clear();
    this.overview.hatches.clear();
  }

  begin() {
    this.fillHeading();
    this.fillFilters();
    fillLegend(document.getElementById("legend"));
    fillStory(document.getElementById("story"), this.run, (event) => this.lookAt(event));
    this.listen();
    this.measure();
    if (this.run.heading.failedStep !== undefined) this.showViolation();
    else this.select(undefined);
  }

  // --- The visible part ------------------------------------------------------

  measure() {
    const scroller = document.getElementById("scroller");
    this.view.width = scroller.clientWidth;
    this.height = scroller.clientHeight;
    this.layOut();
  }

  layOut() {
    this.layout = layOut(this.run, this.filter, this.lockRows, this.height);
    this.paintSoon();
  }

  paintSoon() {
    if (this.isPlanned) return;
    this.isPlanned = true;
    requestAnimationFrame(() => {
      this.isPlanned = false;
      this.paint();
    });
  }

  paint() {
    this.lanes.paint();
    this.overview.paint();
    const {view, choice} = this;
    document.getElementById("range").textContent =
        `${timeText(view.from, view.span / 1000)} – ${timeText(Math.min(view.to, this.run.end), view.span / 1000)}`;
    const drawn = choice.drawn.length.toLocaleString("en");
    const total = choice.total.toLocaleString("en");
    document.getElementById("shown").textContent = choice.left.length === 0
        ? `${drawn} messages`
        : `${drawn} of ${total} messages are drawn; zoom in for ${choice.left.join(", ")}`;
  }

  select(step) {
    this.selected = step;
    if (step !== undefined) this.view.reveal(this.run.at[step]);
    this.panel.show(step);
    this.markStory();
    this.paintSoon();
  }

  // Goes to the previous or next step; `ofNode`: of the same node.
  go(direction, ofNode) {
    const {run, view, filter, selected} = this;
    const from = selected ?? lowerBound(run.at, view.from) - 1;
    const host = ofNode && selected !== undefined ? run.host[selected] : undefined;
    const step = filter.stepFrom(from, direction, host);
    if (step !== undefined) this.select(step);
  }

  // Goes to a line of the story.
  lookAt(event) {
    const {view} = this;
    const step = event.step ?? this.stepOf(event);
    const span = Math.min(view.span, 2e8);
    view.show(event.at - span / 2, span);
    this.select(step);
  }

  // A step of the node at that instant, preferably one with a decision; if there is
  // none, the next step of any node.
  stepOf(event) {
    const {run, filter} = this;
    const first = lowerBound(run.at, event.at);
    let found;
    for (let step = first; step < run.stepCount && run.at[step] === event.at; ++step) {
      if (run.host[step] !== event.host || !filter.showsStep(step)) continue;
      if (run.decisionsOf(step).length > 0) return step;
      found = found ?? step;
    }
    return found ?? Math.min(first, run.stepCount - 1);
  }

  // Shows as much time before it as allows to draw each message, and a little time
  // after it.
  showViolation() {
    const {run, view, arrows, filter} = this;
    const at = run.at[run.heading.failedStep];
    for (let span = view.all; span > kSpanMin; span /= 1.5) {
      view.show(at - span * 0.72, span);
      if (arrows.choose(view, filter).total <= kArrowHeadsMax) break;
    }
    this.select(run.heading.failedStep);
  }

  markStory() {
    const at = this.selected === undefined ? undefined : this.run.at[this.selected];
    let near;
    for (const item of document.getElementById("story").children) {
      item.classList.remove("is-near");
      if (at !== undefined && item.event.at <= at) near = item;
    }
    near?.classList.add("is-near");
    near?.scrollIntoView({block: "nearest"});
  }

  // --- Heading and buttons ---------------------------------------------------

  fillHeading() {
    const {heading} = this.run;
    document.title = `${heading.title}: ${heading.verdict}`;
    document.body.classList.add(heading.verdict);
    for (const part of ["title", "verdict", "sentence", "plan"]) {
      document.getElementById(part).textContent = heading[part];
    }
    document.getElementById("plan").title = heading.plan;
    const figures = heading.figures.map(([name, value]) => {
      const pair = element("div");
      pair.append(element("dt", "", name), element("dd", "", value));
      return pair;
    });
    document.getElementById("figures").replaceChildren(...figures);
    document.getElementById("to-violation").hidden = heading.failedStep === undefined;
  }

  // A button that shows or hides something.
  chip(text, colour, set, value) {
    const button = element("button", "chip");
    button.append(element("span", "", text));
    if (colour) button.style.setProperty("--colour", `var(--${colour})`);
    button.setAttribute("aria-pressed", String(!set.has(value)));
    button.title = text;
    button.onclick = () => {
      Filter.toggle(set, value);
      button.setAttribute("aria-pressed", String(!set.has(value)));
      this.filtered();
    };
    return button;
  }

  filtered() {
    this.layOut();
    this.panel.show(this.selected);
    this.sayKinds();
  }

  fillFilters() {
    const {run, filter} = this;
    const nodes = document.getElementById("node-filter");
    for (let host = 1; host <= run.hosts; ++host) {
      nodes.append(this.chip(`n${host}`, nodeColour(host), filter.hiddenNodes, host));
    }
    const locks = document.getElementById("lock-filter");
    for (const key of run.keys) locks.append(this.chip(key, "", filter.hiddenKeys, key));
    locks.hidden = run.keys.length === 0;
    for (const family of ["consensus", "callers", "membership", "noise"]) {
      this.fillFamily(family);
    }
    this.sayKinds();
  }

  // The buttons of a family's kinds, and one for the whole family.
  fillFamily(family) {
    const {arrows, filter} = this;
    const kinds = [...arrows.kinds.values()]
        .filter((kind) => kind.family === family).map(({kind}) => kind).sort();
    if (kinds.length === 0) return;
    const group = element("div", "group");
    const chips = kinds.map((kind) => {
      const chip = this.chip(kind, family, filter.hiddenKinds, kind);
      chip.append(element("span", "count", arrows.kinds.get(kind).count.toLocaleString("en")));
      return chip;
    });
    const all = element("button", "family", family);
    all.title = `Show or hide all of ${family}`;
    all.onclick = () => {
      const hides = kinds.some((kind) => filter.showsKind(kind));
      for (const [i, kind] of kinds.entries()) {
        if (hides === filter.showsKind(kind)) chips[i].click();
      }
    };
    group.append(all, ...chips);
    document.getElementById("kind-filter").append(group);
  }

  sayKinds() {
    const all = this.arrows.kinds.size;
    const hidden = this.filter.hiddenKinds.size;
    document.getElementById("kinds-shown").textContent =
        hidden === 0 ? `all ${all} kinds` : `${all - hidden} of ${all} kinds`;
  }

  // --- User input ------------------------------------------------------------

  listen() {
    const on = (id, act) => { document.getElementById(id).onclick = act; };
    on("previous", (event) => this.go(-1, event.shiftKey));
    on("next", (event) => this.go(+1, event.shiftKey));
    on("zoom-in", () => this.zoom(1 / 2));
    on("zoom-out", () => this.zoom(2));
    on("zoom-all", () => this.showAll());
    on("to-violation", () => this.showViolation());
    document.addEventListener("keydown", (event) => this.onKey(event));
    new ResizeObserver(() => this.measure()).observe(document.getElementById("scroller"));
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
      this.readTheme();
      this.paintSoon();
    });
    new Pointer(this);
  }

  // Zooms around the selected step, if it is visible.
  zoom(factor) {
    const {run, view, selected} = this;
    const at = selected === undefined ? undefined : run.at[selected];
    const isSeen = at !== undefined && at >= view.from && at <= view.to;
    view.zoom(factor, isSeen ? at : undefined);
    this.paintSoon();
  }

  showAll() {
    this.view.showAll();
    this.paintSoon();
  }

  onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const acts = {
      "+": () => this.zoom(1 / 2),
      "=": () => this.zoom(1 / 2),
      "-": () => this.zoom(2),
      "0": () => this.showAll(),
      "v": () => this.run.heading.failedStep !== undefined && this.showViolation(),
      "Home": () => this.select(this.filter.stepFrom(-1, +1)),
      "End": () => this.select(this.filter.stepFrom(this.run.stepCount, -1)),
      "Escape": () => this.select(undefined),
      "a": () => { this.view.pan(-0.2); this.paintSoon(); },
      "d": () => { this.view.pan(0.2); this.paintSoon(); },
    };
    if (event.key in kStepKeys) this.go(kStepKeys[event.key], event.shiftKey);
    else if (event.key in acts) acts[event.key]();
    else return;
    event.preventDefault();
  }
}

function fillLegend(legend) {
  const entries = [
    ["leader", "", "leader"], ["candidate", "", "candidate"],
    ["pre-candidate", "", "asks whether to stand"],
    ["follower", "", "follower"], ["member", "", "member without a vote"],
    ["consensus", "arrow", "consensus"], ["callers", "arrow", "callers' requests"],
    ["membership", "arrow", "membership"], ["", "lost", "never taken in"],
    ["cut", "hatch", "links cut"], ["paused", "", "paused"], ["down", "", "down"],
    ["node-1", "", "holds a lock, by agreement; paler: believes so; palest: the lease runs out"],
    ["node-1", "thin", "waits for it"], ["", "ringed", "two believe"],
  ];
  for (const [colour, className, text] of entries) {
    const entry = element("span");
    const mark = element("i", className);
    if (colour) mark.style.setProperty("--colour", `var(--${colour})`);
    entry.append(mark, text);
    legend.append(entry);
  }
}

const page = new Page(new Run(JSON.parse(document.getElementById("run").textContent)));
page.begin();
