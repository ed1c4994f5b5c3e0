// The vertical layout: time, faults, locks, nodes.

const kAxisHeight = 24;
const kFaultsHeight = 26;
const kBarHeight = 11;
const kWaitHeight = 3;
const kStripHeight = 15;
const kNodeHeightMin = 42;
const kNodeHeightMax = 104;

// Gives each span a level, such that spans of one level do not overlap. Spans must
// be sorted by their beginning. Returns the number of levels.
function stack(spans, levelsMax) {
  const ends = [];
  for (const span of spans) {
    let level = ends.findIndex((end) => end <= span.begin);
    if (level < 0) level = Math.min(ends.length, levelsMax - 1);
    ends[level] = Math.max(span.end, ends[level] ?? 0);
    span.level = level;
  }
  return ends.length;
}

// The spans in which two clients believe in the same lock.
function contested(beliefs) {
  const found = [];
  let last;
  for (const belief of beliefs) {
    if (belief.end <= belief.begin) continue;
    if (last !== undefined && belief.begin < last.end && belief.token !== last.token) {
      found.push({begin: belief.begin, end: Math.min(belief.end, last.end),
                  hosts: [last.host, belief.host]});
    }
    if (last === undefined || belief.end > last.end) last = belief;
  }
  return found;
}

// The rows of locks never change, but each can be hidden.
function lockRows(run) {
  return run.keys.map((key) => {
    const of = (spans) => spans.filter((span) => span.key === key);
    const row = {key, holds: of(run.holds), beliefs: of(run.beliefs), waits: of(run.waits)};
    const holdLevels = Math.max(stack(row.holds, 2), 1);
    const beliefLevels = Math.max(stack(row.beliefs, 3), 1);
    const waitLevels = stack(row.waits, 6);
    row.beliefTop = 5 + holdLevels * (kBarHeight + 1);
    row.waitTop = row.beliefTop + beliefLevels * (kBarHeight + 1) + 1;
    row.height = row.waitTop + waitLevels * (kWaitHeight + 1) + 5;
    row.contested = contested(row.beliefs);
    return row;
  });
}

function layOut(run, filter, allLockRows, heightWanted) {
  let y = kAxisHeight;
  const layout = {faults: {y, height: kFaultsHeight}, locks: [], nodes: [], laneOf: new Map()};
  y += kFaultsHeight;
  for (const row of allLockRows) {
    if (!filter.showsKey(row.key)) continue;
    layout.locks.push({...row, y});
    y += row.height;
  }
  layout.locksEnd = y;
  y += 4;
  const hosts = [];
  for (let host = 1; host <= run.hosts; ++host) {
    if (filter.showsNode(host)) hosts.push(host);
  }
  const each = (heightWanted - y - 8) / Math.max(hosts.length, 1);
  const height = Math.min(Math.max(each, kNodeHeightMin), kNodeHeightMax);
  for (const host of hosts) {
    const lane = {host, y, height, middle: y + height / 2};
    layout.nodes.push(lane);
    layout.laneOf.set(host, lane);
    y += height;
  }
  layout.height = y + 8;
  return layout;
}
