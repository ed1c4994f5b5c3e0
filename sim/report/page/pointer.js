// Mouse, pen and touch input: zoom, move, point and click.

const kNearStep = 7;     // pixels
const kNearArrow = 5;
const kDragMin = 4;

function distanceToLine({x0, y0, x1, y1}, x, y) {
  const [dx, dy] = [x1 - x0, y1 - y0];
  const length = dx * dx + dy * dy;
  const share = length === 0 ? 0 : ((x - x0) * dx + (y - y0) * dy) / length;
  const t = Math.min(Math.max(share, 0), 1);
  return Math.hypot(x0 + t * dx - x, y0 + t * dy - y);
}

class Pointer {
  constructor(page) {
    this.page = page;
    this.hint = document.getElementById("hint");
    this.lanes = page.lanes.canvas;
    this.listenToLanes();
    this.listenToOverview(page.overview.canvas);
  }

  listenToLanes() {
    const {lanes, page} = this;
    lanes.addEventListener("wheel", (event) => {
      event.preventDefault();
      const pixels = event.deltaMode === 1 ? 30 : 1;
      if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
        page.view.pan((event.deltaX || event.deltaY) * pixels / page.view.plotWidth);
      } else {
        page.view.zoom(Math.exp(event.deltaY * pixels / 400), page.view.time(event.offsetX));
      }
      page.paintSoon();
    }, {passive: false});
    lanes.addEventListener("pointerdown", (event) => this.press(event));
    lanes.addEventListener("pointermove", (event) => this.move(event));
    lanes.addEventListener("pointerup", (event) => this.release(event));
    lanes.addEventListener("pointerleave", () => { this.hint.hidden = true; });
    lanes.addEventListener("dblclick", (event) => {
      page.view.zoom(1 / 4, page.view.time(event.offsetX));
      page.paintSoon();
    });
  }

  press(event) {
    if (event.button !== 0) return;
    const scroller = document.getElementById("scroller");
    this.drag = {x: event.clientX, y: event.clientY, from: this.page.view.from,
                 top: scroller.scrollTop, isMoved: false};
    this.lanes.setPointerCapture(event.pointerId);
  }

  move(event) {
    if (this.drag === undefined) {
      this.point(event);
      return;
    }
    const {view} = this.page;
    const dx = event.clientX - this.drag.x;
    const dy = event.clientY - this.drag.y;
    if (!this.drag.isMoved && Math.hypot(dx, dy) < kDragMin) return;
    this.drag.isMoved = true;
    this.hint.hidden = true;
    this.lanes.classList.add("is-dragged");
    view.show(this.drag.from - dx / view.plotWidth * view.span, view.span);
    document.getElementById("scroller").scrollTop = this.drag.top - dy;
    this.page.paintSoon();
  }

  release(event) {
    const drag = this.drag;
    this.drag = undefined;
    this.lanes.classList.remove("is-dragged");
    if (drag === undefined || drag.isMoved) return;
    const found = this.at(event.offsetX, event.offsetY);
    if (found?.step !== undefined) this.page.select(found.step);
  }

  point(event) {
    const found = this.at(event.offsetX, event.offsetY);
    this.hint.hidden = found === undefined;
    if (found === undefined) return;
    this.hint.textContent = found.text;
    const x = Math.min(event.clientX + 14, innerWidth - this.hint.offsetWidth - 8);
    const y = Math.min(event.clientY + 16, innerHeight - this.hint.offsetHeight - 8);
    this.hint.style.left = `${x}px`;
    this.hint.style.top = `${y}px`;
  }

  listenToOverview(overview) {
    const {page} = this;
    const look = (event) => {
      if (event.buttons === 0) return;
      const {view} = page;
      const time = (event.offsetX - kGutter) / view.plotWidth * view.all;
      view.show(time - view.span / 2, view.span);
      page.paintSoon();
    };
    overview.addEventListener("pointerdown", (event) => {
      overview.setPointerCapture(event.pointerId);
      look(event);
    });
    overview.addEventListener("pointermove", look);
  }

  // --- Hit tests: {text, step}, or undefined -----------------------------------

  at(x, y) {
    const {layout} = this.page;
    if (x < kGutter) return undefined;
    const {faults} = layout;
    if (y >= faults.y && y < faults.y + faults.height) return this.faultAt(x);
    const row = layout.locks.find((lock) => y >= lock.y && y < lock.y + lock.height);
    if (row !== undefined) return this.lockAt(row, x, y - row.y);
    return this.stepAt(x, y) ?? this.arrowAt(x, y) ?? this.bandAt(x, y);
  }

  during(spans, x, slack = 1) {
    const {view} = this.page;
    return spans.filter((span) => view.x(span.begin) <= x + slack && view.x(span.end) >= x - slack);
  }

  faultAt(x) {
    const {run, view} = this.page;
    const near = run.interventions.filter((intervention) => Math.abs(view.x(intervention.at) - x) <= 5);
    const lines = near.slice(0, 12).map((intervention) =>
        `${stampText(intervention.at)}  ${intervention.host > 0 ? `n${intervention.host} ` : ""}${intervention.text}`);
    for (const cut of this.during(run.cuts, x)) {
      lines.push(`${cut.text || "links are cut"}, for ${this.lasting(cut)}`);
    }
    return lines.length === 0 ? undefined : {text: lines.join("\n")};
  }

  lasting(span) { return timeText(span.end - span.begin, (span.end - span.begin) / 100); }

  lockAt(row, x, y) {
    const lines = [];
    if (y < row.beliefTop) {
      for (const hold of this.during(row.holds, x)) {
        lines.push(`${row.key}: held by n${hold.host} for ${this.lasting(hold)}, token ${hold.token}`);
      }
    } else if (y < row.waitTop) {
      for (const belief of this.during(row.beliefs, x)) {
        const ended = belief.endedBy === "" ? "" : `; ended: ${belief.endedBy}`;
        lines.push(`${row.key}: n${belief.host} ${belief.isSuspect ? "suspects to lose it" : "believes"} ` +
                   `for ${this.lasting(belief)}, token ${belief.token}${ended}`);
      }
    } else {
      for (const wait of this.during(row.waits, x)) {
        lines.push(`${row.key}: n${wait.host} waited ${this.lasting(wait)}: ${wait.outcome || "no answer"}`);
      }
    }
    return lines.length === 0 ? undefined : {text: lines.join("\n")};
  }

  stepAt(x, y) {
    const {run, view, filter, layout} = this.page;
    const lane = layout.nodes.find((node) => Math.abs(y - node.middle) <= kStripHeight / 2 + 5);
    if (lane === undefined) return undefined;
    const times = run.timesOf[lane.host];
    const first = lowerBound(times, view.time(x - kNearStep));
    const end = Math.min(lowerBound(times, view.time(x + kNearStep)), first + kDotsMax);
    let best;
    for (let i = first; i < end; ++i) {
      const step = run.stepsOf[lane.host][i];
      if (!filter.showsStep(step)) continue;
      const distance = Math.abs(view.x(times[i]) - x);
      if (best === undefined || distance < best.distance) best = {step, distance};
    }
    if (best === undefined) return undefined;
    const what = run.eventText(best.step) || run.decisionsOf(best.step)[0] || "time passes";
    return {step: best.step, text: `n${lane.host} at ${stampText(run.at[best.step])}\n${what}`};
  }

  arrowAt(x, y) {
    const {run, lanes} = this.page;
    let best;
    for (const line of lanes.lines ?? []) {
      const distance = distanceToLine(line, x, y);
      if (distance > kNearArrow || (best !== undefined && distance >= best.distance)) continue;
      best = {line, distance};
    }
    if (best === undefined) return undefined;
    const {message, isLost} = best.line;
    const fate = isLost ? "\nnever taken in" : "";
    return {step: message.sent,
            text: `n${message.from} → n${message.to}: ${run.texts[message.text]}${fate}`};
  }

  bandAt(x, y) {
    const {run, layout} = this.page;
    const lane = layout.nodes.find((node) => y >= node.y && y < node.y + node.height);
    if (lane === undefined) return undefined;
    const lines = [];
    for (const down of this.during(run.downsOf[lane.host], x)) {
      lines.push(`n${lane.host} is down for ${this.lasting(down)}`);
    }
    for (const pause of this.during(run.pausesOf[lane.host], x)) {
      lines.push(`n${lane.host} is paused for ${this.lasting(pause)}`);
    }
    for (const cut of this.during(run.cutsOf[lane.host], x)) lines.push(cutText(cut, lane.host));
    for (const role of this.during(run.rolesOf[lane.host], x, 0)) {
      lines.push(`n${lane.host}: ${role.role}, term ${role.term}, for ${this.lasting(role)}`);
    }
    return lines.length === 0 ? undefined : {text: lines.join("\n")};
  }
}

function cutText(cut, host) {
  const names = (hosts) => hosts.map((other) => `n${other}`).join(", ");
  const deafTo = cut.links.filter(([, to]) => to === host).map(([from]) => from);
  const muteTo = cut.links.filter(([from]) => from === host).map(([, to]) => to);
  const lines = [];
  if (deafTo.length > 0) lines.push(`n${host} does not hear ${names(deafTo)}`);
  if (muteTo.length > 0) lines.push(`n${host} is not heard by ${names(muteTo)}`);
  return lines.join("\n");
}
