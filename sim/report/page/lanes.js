// Draws the run: time, faults, locks, and nodes with their steps.

const kDotsMax = 400;  // steps of a node drawn one by one

class LanesPainter extends MessagePainter {
  paint() {
    const {view, layout, colours, run} = this.page;
    this.begin(view.width, layout.height);
    this.paintAxis();
    this.paintFaults();
    for (const row of layout.locks) this.paintLock(row);
    for (const lane of layout.nodes) this.paintBands(lane);
    for (const lane of layout.nodes) this.paintStrip(lane);
    this.paintArrows();
    for (const lane of layout.nodes) this.paintSteps(lane);
    for (const lane of layout.nodes) this.paintRoleNames(lane);
    this.paintAfterwards();
    this.paintMoment(run.heading.failedStep, colours.alarm, "violation");
    this.paintSelection();
    this.paintNames();
  }

  paintAxis() {
    const {view, layout, colours} = this.page;
    const context = this.context;
    const {step, times} = ticks(view);
    context.font = kSmallFont;
    for (const time of times) {
      const x = Math.round(view.x(time)) + 0.5;
      this.line(x, kAxisHeight - 4, x, layout.height, colours.line);
      context.fillStyle = colours.muted;
      context.textAlign = "center";
      if (x > kGutter + 20) context.fillText(timeText(time, step), x, kAxisHeight / 2);
    }
    context.textAlign = "left";
    context.font = kFont;
  }

  paintFaults() {
    const {run, view, layout, colours} = this.page;
    const context = this.context;
    const {y, height} = layout.faults;
    this.eachSpan(run.cuts, view, (x, width, cut) => {
      context.fillStyle = this.hatch(colours.cut);
      context.fillRect(x, y + 4, width, height - 8);
      context.strokeStyle = colours.cut;
      context.strokeRect(x + 0.5, y + 4.5, width - 1, height - 9);
      if (width < 60) return;
      const text = cut.text || "links are cut";
      context.fillStyle = colours.ground;
      context.fillRect(x + 2, y + 6, Math.min(context.measureText(text).width + 6, width - 4), height - 12);
      this.label(text, x, y + height / 2, width, colours.text);
    });
    let lastPixel = -9;
    for (const intervention of run.interventions) {
      const x = view.x(intervention.at);
      if (x < kGutter || x > view.width || x - lastPixel < 2) continue;
      lastPixel = x;
      context.fillStyle = intervention.host > 0 ? colours[nodeColour(intervention.host)] : colours.text;
      context.beginPath();
      context.moveTo(x - 4, y + 1);
      context.lineTo(x + 4, y + 1);
      context.lineTo(x, y + 9);
      context.fill();
    }
  }

  // --- Nodes -----------------------------------------------------------------

  paintBands(lane) {
    const {run, view, colours} = this.page;
    const context = this.context;
    this.line(0, lane.y + 0.5, view.width, lane.y + 0.5, colours.line);
    const band = (fill, text) => (x, width) => {
      context.fillStyle = fill;
      context.fillRect(x, lane.y + 1, width, lane.height - 1);
      this.label(text, x, lane.y + 9, width, colours.muted);
    };
    context.globalAlpha = 0.35;
    this.eachSpan(run.cutsOf[lane.host], view, band(this.hatch(colours.cut), ""));
    context.globalAlpha = 0.55;
    this.eachSpan(run.pausesOf[lane.host], view, band(colours.paused, ""));
    context.globalAlpha = 0.16;
    this.eachSpan(run.downsOf[lane.host], view, band(colours.down, ""));
    context.globalAlpha = 1;
    this.eachSpan(run.cutsOf[lane.host], view, band("transparent", "cut off"));
    this.eachSpan(run.pausesOf[lane.host], view, band("transparent", "paused"));
    this.eachSpan(run.downsOf[lane.host], view, band("transparent", "down"));
  }

  paintStrip(lane) {
    const {run, view, colours} = this.page;
    const context = this.context;
    const top = lane.middle - kStripHeight / 2;
    this.line(kGutter, lane.middle, view.width, lane.middle, colours.line);
    this.eachSpan(run.rolesOf[lane.host], view, (x, width, role) => {
      context.fillStyle = colours[role.role] || colours.member;
      context.fillRect(x, top, width, kStripHeight);
      if (width < 40) return;
      context.fillStyle = colours.ground;
      context.fillRect(x + width - 1, top, 1, kStripHeight);
    });
  }

  // Drawn over the arrows that end there.
  paintRoleNames(lane) {
    const {run, view, colours} = this.page;
    const context = this.context;
    context.font = kSmallFont;
    this.eachSpan(run.rolesOf[lane.host], view, (x, width, role) => {
      if (width < 30) return;
      const text = `${role.role} · term ${role.term}`;
      const room = Math.min(context.measureText(text).width + 8, width - 1);
      context.fillStyle = colours[role.role] || colours.member;
      context.fillRect(x, lane.middle - kStripHeight / 2, room, kStripHeight - 2);
      this.label(text, x, lane.middle, width, role.role === "leader" ? kLeaderInk : colours.text);
    });
    context.font = kFont;
  }

  // Greys out the time after the end of the run.
  paintAfterwards() {
    const {run, view, layout, colours} = this.page;
    const x = Math.max(view.x(run.end), kGutter);
    if (x >= view.width) return;
    const context = this.context;
    context.globalAlpha = 0.6;
    context.fillStyle = colours.raised;
    context.fillRect(x, layout.locksEnd, view.width - x, layout.height - layout.locksEnd);
    context.globalAlpha = 1;
    this.line(x, kAxisHeight, x, layout.height, colours.muted);
    this.label("the run ends here", x + 4, layout.locksEnd + 12, view.width - x, colours.muted);
  }

  paintSteps(lane) {
    const {run, view, filter, colours} = this.page;
    const times = run.timesOf[lane.host];
    const first = lowerBound(times, view.from);
    const end = lowerBound(times, view.to);
    if (end - first > kDotsMax) {
      this.paintDensity(lane, times);
      return;
    }
    const context = this.context;
    context.fillStyle = colours.text;
    const y = lane.middle + kStripHeight / 2;
    for (let i = first; i < end; ++i) {
      if (!filter.showsStep(run.stepsOf[lane.host][i])) continue;
      context.beginPath();
      context.arc(view.x(times[i]), y, 2.2, 0, 2 * Math.PI);
      context.fill();
    }
  }

  // Draws the density of steps if there are too many to draw each.
  paintDensity(lane, times) {
    const {view, colours} = this.page;
    const context = this.context;
    context.fillStyle = colours.text;
    context.globalAlpha = 0.25;
    const y = lane.middle + kStripHeight / 2;
    let from = lowerBound(times, view.time(kGutter));
    for (let x = kGutter; x < view.width; x += 2) {
      const to = lowerBound(times, view.time(x + 2));
      if (to > from) context.fillRect(x, y, 2, Math.min(2 + 2 * Math.log2(to - from + 1), 14));
      from = to;
    }
    context.globalAlpha = 1;
  }

  // --- The selected step -----------------------------------------------------

  paintSelection() {
    const {run, view, layout, colours, selected} = this.page;
    if (selected === undefined) return;
    const context = this.context;
    this.paintMoment(selected, colours.accent, "");
    const own = run.actionsOf(selected).filter((action) => typeof action !== "string");
    const message = run.messageOf(selected);
    if (message !== undefined) own.push(message);
    context.save();
    context.beginPath();
    context.rect(kGutter, 0, view.width - kGutter, layout.height);
    context.clip();
    for (const sent of own) {
      const colour = sent.taken.length === 0 ? colours.alarm : colours[sent.family];
      this.strokeLines(this.linesOf(sent), colour, 2.5);
    }
    context.restore();
    const lane = layout.laneOf.get(run.host[selected]);
    if (lane === undefined) return;
    const x = view.x(run.at[selected]);
    if (x < kGutter || x > view.width) return;
    const isFailed = selected === run.heading.failedStep;
    context.fillStyle = isFailed ? colours.alarm : colours.accent;
    context.strokeStyle = colours.ground;
    context.lineWidth = 2;
    context.beginPath();
    context.arc(x, lane.middle, 6, 0, 2 * Math.PI);
    context.fill();
    context.stroke();
  }

  paintMoment(step, colour, text) {
    const {run, view, layout, colours} = this.page;
    if (step === undefined) return;
    const x = view.x(run.at[step]);
    if (x < kGutter || x > view.width) return;
    this.line(x, kAxisHeight, x, layout.height, colour, 1.5);
    if (text === "") return;
    const width = this.context.measureText(text).width + 10;
    const left = Math.min(x, view.width - width);
    this.context.fillStyle = colour;
    this.context.fillRect(left, 3, width, kAxisHeight - 5);
    this.context.fillStyle = colours.ground;
    this.context.fillText(text, left + 5, kAxisHeight / 2 + 1);
    const lane = layout.laneOf.get(run.host[step]);
    if (lane === undefined) return;
    this.context.strokeStyle = colour;
    this.context.lineWidth = 2;
    this.context.beginPath();
    this.context.arc(x, lane.middle, 9, 0, 2 * Math.PI);
    this.context.stroke();
  }

  // Drawn last, so that nothing covers them.
  paintNames() {
    const {layout, colours} = this.page;
    const context = this.context;
    context.fillStyle = colours.ground;
    context.fillRect(0, kAxisHeight, kGutter - 1, layout.height);
    this.line(kGutter - 0.5, 0, kGutter - 0.5, layout.height, colours.line);
    context.fillStyle = colours.muted;
    context.fillText("Faults", 16, layout.faults.y + layout.faults.height / 2);
    for (const row of layout.locks) {
      this.line(0, row.y + 0.5, kGutter, row.y + 0.5, colours.line);
      this.label(row.key, 12, row.y + 4 + kBarHeight / 2, kGutter - 14, colours.text);
      context.font = kSmallFont;
      this.label("believed", 12, row.y + row.beliefTop + kBarHeight / 2, kGutter - 14, colours.muted);
      context.font = kFont;
    }
    for (const lane of layout.nodes) {
      this.line(0, lane.y + 0.5, kGutter, lane.y + 0.5, colours.line);
      context.fillStyle = colours[nodeColour(lane.host)];
      context.fillRect(16, lane.middle - 6, 12, 12);
      context.fillStyle = colours.text;
      context.font = `600 ${kFont}`;
      context.fillText(`n${lane.host}`, 35, lane.middle + 0.5);
      context.font = kFont;
    }
  }
}
