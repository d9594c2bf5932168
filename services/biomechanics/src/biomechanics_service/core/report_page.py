"""The frame of the report: style, behaviour, and the places where `report.py` puts text.

Nothing is loaded from anywhere.
"""

from __future__ import annotations

STYLE = """
:root{--ink:#1c2430;--soft:#5b6675;--line:#dfe4ea;--paper:#fff;--panel:#f6f8fa;--right:#c2410c;--left:#0f6fb8;--doubt:#f3d9a4;--ok:#1a7f4b}
@media(prefers-color-scheme:dark){:root{--ink:#e6e9ee;--soft:#9aa5b1;--line:#313945;--paper:#14181e;--panel:#1c222a;--right:#ff9a5c;--left:#6bb8f5;
--doubt:#4d4023;--ok:#5fd39a}}
*{box-sizing:border-box}body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,sans-serif}
main{max-width:1060px;margin:0 auto;padding:28px 20px 60px}h1{font-size:1.7rem;margin:0 0
4px}h2{font-size:1.2rem;margin:36px 0 8px}
p{margin:6px 0}.soft{color:var(--soft)}.bar{display:flex;flex-wrap:wrap;gap:8px 18px;align-items:center;padding:10px
0;position:sticky;top:0;
background:var(--paper);border-bottom:1px solid var(--line);z-index:2}
button{font:inherit;padding:4px 14px;border:1px solid
var(--line);border-radius:16px;background:var(--panel);color:inherit;cursor:pointer}
button[aria-pressed=true]{background:var(--ink);color:var(--paper)}button:focus-visible,input:focus-visible{outline:3px
solid var(--left);outline-offset:2px}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(170px,1fr));gap:12px;margin:16px 0}
.card{background:var(--panel);border:1px solid var(--line);border-radius:10px;padding:12px 14px}.card
b{display:block;font-size:1.35rem}
.scroll{overflow-x:auto}table{border-collapse:collapse;width:100%;font-size:.93rem}th,td{text-align:left;padding:5px
10px;border-bottom:1px solid var(--line)}
td.n{text-align:right;font-variant-numeric:tabular-nums}figure{margin:18px
0}figcaption{font-weight:600}svg{width:100%;height:auto;display:block}
svg
text{fill:var(--soft);font-size:12px}.grid{stroke:var(--line)}.right{stroke:var(--right)}.left{stroke:var(--left)}.curve{fill:none;stroke-width:2}
.doubtful{stroke-dasharray:3
4;opacity:.55}.shade{fill:var(--doubt);opacity:.5}.unseen{fill:var(--line);opacity:.45}.cross{stroke:var(--soft);stroke-dasharray:2
3}.strike{stroke-width:1;opacity:.6}
.tip{position:fixed;pointer-events:none;background:var(--ink);color:var(--paper);padding:6px
10px;border-radius:6px;font-size:.85rem;white-space:pre;z-index:3}
.key i{display:inline-block;width:22px;height:0;border-top:3px
solid;vertical-align:middle;margin-right:6px}[hidden]{display:none}
@media print{.bar{position:static}section[data-person]{display:block!important}}
"""

SCRIPT = """
'use strict';
(() => {
const data = JSON.parse(document.getElementById('motion').textContent);
const NS = 'http://www.w3.org/2000/svg', W = 1000, H = 230, L = 52, R = 10, T = 12, B = 26;
const state = {filtered: true, shade: true};
const tip = document.createElement('div'); tip.className = 'tip'; tip.hidden = true; document.body.append(tip);
const node = (name, attributes, parent, text) => {
  const e = document.createElementNS(NS, name);
  for (const k in attributes) e.setAttribute(k, attributes[k]);
  if (text !== undefined) e.textContent = text;
  parent.append(e); return e;
};
const values = a => state.filtered ? a.filtered_deg : a.raw_deg;
function ticks(low, high) {
  const rough = (high - low) / 5, power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map(k => k * power).find(s => s >= rough), out = [];
  for (let v = Math.ceil(low / step) * step; v <= high + 1e-9; v += step) out.push(+v.toFixed(6));
  return out;
}
function draw(figure) {
  const person = data.persons[+figure.dataset.index], names = figure.dataset.names.split(' ');
  const lines = names.map(n => ({name: n, side: n.match(/_l(_3d)?$/) ? 'left' : 'right', angle:
  person.angles[n]})).filter(l => l.angle);
  const svg = figure.querySelector('svg'); svg.replaceChildren(); svg.setAttribute('viewBox', `0 0 ${W} ${H}`);
  const time = person.time_s, all = lines.flatMap(l => values(l.angle)).filter(v => v !== null);
  if (!all.length) { node('text', {x: L, y: H / 2}, svg, 'Nothing sure enough to draw.'); return; }
  let low = Math.min(...all), high = Math.max(...all); const pad = Math.max(5, (high - low) * 0.08); low -= pad; high
  += pad;
  const t0 = time[0], t1 = time[time.length - 1], x = t => L + (W - L - R) * (t - t0) / ((t1 - t0) || 1);
  const y = v => T + (H - T - B) * (high - v) / (high - low);
  const half = (t1 - t0) / Math.max(time.length - 1, 1) / 2;
  const band = (css, holds) => {
    for (let i = 0, start = -1; i <= time.length; i++) {
      const is = i < time.length && holds(i);
      if (is && start < 0) start = i;
      if (!is && start >= 0) {
        const a = x(Math.max(time[start] - half, t0)), b = x(Math.min(time[i - 1] + half, t1));
        node('rect', {class: css, x: a, y: T, width: Math.max(b - a, 1), height: H - T - B}, svg); start = -1;
      }
    }
  };
  const seen = i => lines.filter(l => values(l.angle)[i] !== null);
  if (state.shade) {
    band('unseen', i => seen(i).length === 0);
    band('shade', i => seen(i).some(l => l.angle.confidence[i] < 0.5));
  }
  for (const v of ticks(low, high)) { node('line', {class: 'grid', x1: L, x2: W - R, y1: y(v), y2: y(v)}, svg);
    node('text', {x: L - 6, y: y(v) + 4, 'text-anchor': 'end'}, svg, v + '\\u00b0'); }
  for (const t of ticks(t0, t1)) node('text', {x: x(t), y: H - 8, 'text-anchor': 'middle'}, svg, t + ' s');
  if (/knee|hip_flex|ankle/.test(names[0])) for (const side of ['right', 'left']) for (const f of
  person.gait.strike_frames[side] || []) {
    const t = time[f - person.frame[0]]; if (t !== undefined) node('line', {class: 'strike ' + side, x1: x(t), x2:
    x(t), y1: T, y2: H - B}, svg);
  }
  for (const l of lines) {
    const v = values(l.angle), c = l.angle.confidence; const paths = {sure: '', doubt: ''};
    for (let i = 1; i < v.length; i++) if (v[i] !== null && v[i - 1] !== null) {
      const seg = `M${x(time[i - 1]).toFixed(1)} ${y(v[i - 1]).toFixed(1)}L${x(time[i]).toFixed(1)}
      ${y(v[i]).toFixed(1)}`;
      paths[Math.min(c[i], c[i - 1]) >= 0.5 ? 'sure' : 'doubt'] += seg;
    }
    node('path', {class: 'curve ' + l.side, d: paths.sure}, svg); node('path', {class: 'curve doubtful ' + l.side, d:
    paths.doubt}, svg);
  }
  const cross = node('line', {class: 'cross', y1: T, y2: H - B, visibility: 'hidden'}, svg);
  const show = (i, px, py) => {
    cross.setAttribute('x1', x(time[i])); cross.setAttribute('x2', x(time[i])); cross.setAttribute('visibility',
    'visible');
    tip.textContent = `${time[i].toFixed(2)} s, frame ${person.frame[i]}\\n` + lines.map(l => {
      const v = values(l.angle)[i];
      return `${l.name}: ` + (v === null ? 'not seen' : `${v.toFixed(1)}\\u00b0, confidence ${(100 *
      l.angle.confidence[i]).toFixed(0)} %`);
    }).join('\\n');
    tip.hidden = false; tip.style.left = Math.min(px + 14, innerWidth - tip.offsetWidth - 8) + 'px'; tip.style.top = py
    + 14 + 'px';
  };
  const hide = () => { tip.hidden = true; cross.setAttribute('visibility', 'hidden'); };
  let at = 0;
  svg.onpointermove = e => {
    const box = svg.getBoundingClientRect(), t = t0 + (t1 - t0) * ((e.clientX - box.left) * W / box.width - L) / (W - L
    - R);
    at = 0; for (let i = 1; i < time.length; i++) if (Math.abs(time[i] - t) < Math.abs(time[at] - t)) at = i;
    show(at, e.clientX, e.clientY);
  };
  svg.onpointerleave = hide; svg.onblur = hide;
  svg.onkeydown = e => {
    if (e.key !== 'ArrowLeft' && e.key !== 'ArrowRight') return;
    e.preventDefault(); at = Math.min(Math.max(at + (e.key === 'ArrowRight' ? 1 : -1), 0), time.length - 1);
    const box = svg.getBoundingClientRect(); show(at, box.left + x(time[at]) * box.width / W, box.top + box.height / 2);
  };
}
const sections = [...document.querySelectorAll('section[data-person]')];
const redraw = () => sections.filter(s => !s.hidden).forEach(s => s.querySelectorAll('figure').forEach(draw));
const buttons = [...document.querySelectorAll('button[data-show]')];
const choose = id => { sections.forEach(s => { s.hidden = s.dataset.person !== id; });
  buttons.forEach(b => b.setAttribute('aria-pressed', String(b.dataset.show === id))); redraw(); };
buttons.forEach(b => b.addEventListener('click', () => choose(b.dataset.show)));
for (const key of ['filtered', 'shade']) {
  const box = document.getElementById(key);
  if (box) box.addEventListener('change', () => { state[key] = box.checked; redraw(); });
}
addEventListener('beforeprint', () => { sections.forEach(s => { s.hidden = false; }); redraw(); });
if (buttons.length) choose(buttons[0].dataset.show);
})();
"""

# The policy forbids every load, so that the page is what it says: everything in one file.
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src
'unsafe-inline'">
<title>$title</title><style>$style</style></head><body><main>
<h1>$title</h1>
$body
</main><script type="application/json" id="motion">$data</script><script>$script</script></body></html>
"""
