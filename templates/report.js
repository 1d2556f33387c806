'use strict';
// Finds, filters and pages the findings. What is shown is text, never markup; the address after # says what is
// looked at, so that a view can be kept and sent.
(() => {
  const data = JSON.parse(document.getElementById('data').textContent);
  const form = document.getElementById('filter');
  const list = document.getElementById('list');
  const count = document.getElementById('count');
  const pages = document.getElementById('pages');
  const previous = document.getElementById('previous');
  const next = document.getElementById('next');
  const names = ['q', 'verdict', 'severity', 'rule', 'account', 'region', 'size'];
  const field = (name) => form.elements.namedItem(name);
  let page = 0;
  let found = [];

  const element = (name, text, className) => {
    const made = document.createElement(name);
    if (text !== undefined) made.textContent = text;
    if (className) made.className = className;
    return made;
  };

  const haystack = (finding) => {
    finding.text ??= [finding.rule, data.rules[finding.rule]?.title, finding.id, finding.name, finding.arn, finding.address,
      finding.type, finding.account, finding.region, finding.message, finding.waiver, finding.fingerprint, finding.location,
      ...(finding.evidence ?? []), ...(finding.reasons ?? [])].join('\n').toLowerCase();
    return finding.text;
  };

  const fill = (name, values) => {
    for (const value of values) field(name).append(element('option', value));
  };

  const distinct = (name) => [...new Set(data.findings.map((finding) => finding[name] ?? (name === 'region' ? 'global' : '')))]
    .filter((value) => value !== '').sort();

  const select = () => {
    const words = field('q').value.toLowerCase().split(/\s+/).filter(Boolean);
    const wanted = Object.fromEntries(names.map((name) => [name, field(name).value]));
    found = data.findings.filter((finding) =>
      (wanted.verdict === 'all' || (wanted.verdict ? finding.verdict === wanted.verdict : finding.verdict === 'fail' || (finding.verdict === 'unknown' && !finding.denied)))
      && (!wanted.severity || finding.severity === wanted.severity)
      && (!wanted.rule || finding.rule === wanted.rule)
      && (!wanted.account || finding.account === wanted.account)
      && (!wanted.region || (finding.region ?? 'global') === wanted.region)
      && words.every((word) => haystack(finding).includes(word)));
  };

  const entry = (into, name, value) => {
    if (value === undefined || value === null || value.length === 0) return;
    into.append(element('dt', name));
    const description = element('dd');
    if (Array.isArray(value)) {
      const items = element('ul');
      for (const item of value) {
        const listed = element('li');
        listed.append(item instanceof Node ? item : element('code', item));
        items.append(listed);
      }
      description.append(items);
    } else {
      description.append(value);
    }
    into.append(description);
  };

  const link = (address) => {
    const made = element('a', address);
    made.href = address;
    made.rel = 'noreferrer noopener';
    return made;
  };

  const details = (finding) => {
    const rule = data.rules[finding.rule] ?? {};
    const shown = element('dl', undefined, finding.verdict);
    entry(shown, 'Rule', rule.title ?? finding.rule);
    entry(shown, 'What was found', finding.message);
    entry(shown, 'Unknown because', finding.reasons);
    entry(shown, 'Evidence', finding.evidence);
    entry(shown, 'Waiver', finding.waiver);
    entry(shown, 'Why it matters', rule.rationale);
    if (finding.fix) {
      const how = element('span', `${finding.fix.title}: `);
      how.append(element('code', finding.fix.command));
      entry(shown, 'How to fix it', how);
    } else if (finding.verdict === 'fail') {
      entry(shown, 'How to fix it', rule.description);
    }
    entry(shown, 'Controls', rule.controls?.map((control) => element('span', control)));
    entry(shown, 'Rule', rule.page && [rule.page].map(link));
    entry(shown, 'Documentation', rule.references?.map(link));
    entry(shown, 'Type', finding.type);
    entry(shown, 'ARN', finding.arn && element('code', finding.arn));
    entry(shown, 'In code', finding.location && element('code', finding.location));
    entry(shown, 'Fingerprint', element('code', finding.fingerprint));
    return shown;
  };

  const item = (finding) => {
    const shown = element('details');
    const line = element('summary');
    line.append(
      element('span', finding.verdict, `badge ${finding.verdict}`),
      element('span', finding.severity, `badge ${finding.severity}`),
      element('span', finding.resource, 'resource'),
      element('code', finding.rule, 'rule'),
      element('span', finding.where, 'where'));
    shown.append(line);
    shown.addEventListener('toggle', () => { if (shown.open) expand(shown); });
    shown.finding = finding;
    const listed = element('li');
    listed.append(shown);
    return listed;
  };

  const expand = (shown) => {
    if (shown.childElementCount === 1) shown.append(details(shown.finding));
  };

  const show = () => {
    const size = Number(field('size').value || 50);
    const last = Math.max(0, Math.ceil(found.length / size) - 1);
    page = Math.min(Math.max(page, 0), last);
    list.replaceChildren(...found.slice(page * size, (page + 1) * size).map(item));
    count.textContent = `${found.length} of ${data.findings.length} findings`
      + (data.passes > 0 ? `; ${data.passes} passes are counted and not listed` : '');
    pages.hidden = last === 0;
    document.getElementById('page').textContent = `page ${page + 1} of ${last + 1}`;
    previous.disabled = page === 0;
    next.disabled = page === last;
  };

  const remember = () => {
    const wanted = new URLSearchParams();
    for (const name of names) if (field(name).value) wanted.set(name, field(name).value);
    if (page > 0) wanted.set('page', page + 1);
    const hash = wanted.toString();
    history.replaceState(null, '', hash ? `#${hash}` : location.pathname + location.search);
  };

  const recall = () => {
    const wanted = new URLSearchParams(location.hash.slice(1));
    const known = [...wanted.keys()].some((name) => names.includes(name) || name === 'page');
    if (!known && location.hash) return false;
    for (const name of names) field(name).value = wanted.get(name) ?? '';
    // A link to something that is not there shows everything rather than nothing at all.
    for (const name of names) if (field(name).selectedIndex === -1) field(name).value = '';
    page = Number(wanted.get('page') ?? 1) - 1 || 0;
    return known;
  };

  const turn = (by) => {
    page += by;
    show();
    remember();
    document.getElementById('findings').focus();
  };

  const change = () => { page = 0; select(); show(); remember(); };

  fill('severity', ['critical', 'high', 'medium', 'low', 'info'].filter((severity) => data.findings.some((finding) => finding.severity === severity)));
  for (const name of ['rule', 'account', 'region']) fill(name, distinct(name));
  form.hidden = false;
  form.addEventListener('submit', (event) => event.preventDefault());
  form.addEventListener('reset', () => setTimeout(change));
  form.addEventListener('change', change);
  let waiting;
  field('q').addEventListener('input', () => { clearTimeout(waiting); waiting = setTimeout(change, 150); });
  previous.addEventListener('click', () => turn(-1));
  next.addEventListener('click', () => turn(1));
  addEventListener('hashchange', () => {
    if (!recall()) return;
    select();
    show();
    document.getElementById('findings').scrollIntoView();
    document.getElementById('findings').focus({ preventScroll: true });
  });
  // On paper nothing can be opened: what is on the page is printed with everything about it.
  let opened = [];
  addEventListener('beforeprint', () => {
    opened = [...list.querySelectorAll('details:not([open])')];
    for (const shown of opened) { expand(shown); shown.open = true; }
  });
  addEventListener('afterprint', () => { for (const shown of opened) shown.open = false; });
  recall();
  select();
  show();
})();
