// What the judge asks a page, from inside it.
//
// `eyes` is sent into the page as text, so it must stand alone: it sees nothing of this file. What
// it returns stays in the page, and the judge calls it there.

export function eyes() {
  // Scroll and client sizes are rounded to whole pixels, each by itself.
  const ROUNDING = 1;
  // Of so many siblings, those in the middle are left out where looking at each takes too long.
  const SIBLINGS = 10;

  const all = (selector, root = document) => [...root.querySelectorAll(selector)];

  const isShown = (element) =>
    element.checkVisibility({ visibilityProperty: true }) && element.getClientRects().length > 0;

  // Names an element so that whoever reads it finds it in the page.
  function named(element) {
    const id = element.id && `#${element.id}`;
    const classes = [...element.classList].map((one) => `.${one}`).join('');
    const text = element.textContent.trim().replace(/\s+/g, ' ');
    const start = text.length > 40 ? `${text.slice(0, 40)}…` : text;
    return `${element.tagName.toLowerCase()}${id}${classes}${start && ` “${start}”`}`;
  }

  // What a reader can open by hand, or comes to by scrolling, is there to be read, and is judged.
  function unfold() {
    for (const details of all('details')) details.open = true;
    for (const element of all('*')) {
      const waits = getComputedStyle(element).contentVisibility === 'auto';
      if (waits) element.style.contentVisibility = 'visible';
    }
  }

  function text() {
    const heading = all('h1').find(isShown);
    return {
      heading: heading?.innerText.trim() ?? '',
      unreadable: all('section, article')
        .filter((section) => !isShown(section) || section.innerText.trim() === '')
        .map(named),
      length: document.body.innerText.length,
    };
  }

  function elements() {
    return all('*').length;
  }

  // What asks for something, or gets ready to, later than when the page is opened or without a
  // request to be seen.
  function reachesOut() {
    const sources = all('[src]').filter((one) => !/^data:/i.test(one.getAttribute('src')));
    return [...sources, ...all('link[rel~="preconnect" i], link[rel~="dns-prefetch" i]')].map(
      (one) => `${named(one)} names ${one.getAttribute('src') ?? one.getAttribute('href')}`,
    );
  }

  function links() {
    return all('a[href], area[href]').map((link) => {
      const url = new URL(link.getAttribute('href'), document.baseURI);
      const inPage = url.href.split('#')[0] === location.href.split('#')[0];
      return { link, fragment: inPage ? decodeURIComponent(url.hash.slice(1)) : '' };
    });
  }

  // An empty fragment, and “top”, lead to the start of every page.
  const leadsSomewhere = ({ fragment }) =>
    fragment === '' || fragment === 'top' || document.getElementById(fragment) !== null;

  function brokenLinks() {
    return links().filter((link) => !leadsSomewhere(link)).map(({ link, fragment }) =>
      `${named(link)} leads to #${fragment}, which isn't there`);
  }

  function repeatedIds() {
    const seen = new Set();
    const repeated = new Set();
    for (const { id } of all('[id]')) (seen.has(id) ? repeated : seen).add(id);
    return [...repeated];
  }

  // Those who can't see the page need a way past what comes before its main part.
  function hasWayIn() {
    const main = document.querySelector('main, [role="main"]');
    const skip = links().find(({ link }) => isShown(link));
    const skips = skip !== undefined && skip.fragment !== '' && leadsSomewhere(skip);
    return main !== null && (skips || document.querySelector('nav, [role="navigation"]') !== null);
  }

  // Whether what sticks out of something around the element is kept there.
  function isHeldIn(element) {
    const around = element.parentElement;
    if (around === document.body) return false;
    return getComputedStyle(around).overflowX !== 'visible' || isHeldIn(around);
  }

  // Whether the page is wider than its window, and through what.
  function sideways() {
    const { clientWidth: room, scrollWidth: needed } = document.documentElement;
    if (needed <= room) return { room, needed };
    const wide = all('body *').filter((element) =>
      element.getBoundingClientRect().right > room && !isHeldIn(element));
    const innermost = wide.find((element, place) => !element.contains(wide[place + 1] ?? null));
    return { room, needed, through: innermost ? named(innermost) : 'nothing that is seen' };
  }

  // On paper nothing scrolls: what doesn't fit into its element is lost. Boxes of one pixel hold
  // what is only for screen readers.
  function cutOff() {
    return all('body *').filter((element) => {
      const { overflowX } = getComputedStyle(element);
      return isShown(element) && overflowX !== 'visible' && element.clientWidth > 1
        && element.scrollWidth > element.clientWidth + ROUNDING;
    }).map((element) =>
      `${named(element)} shows ${element.clientWidth} of ${element.scrollWidth} px`);
  }

  // How much of the sheet its @page rules take from left and right, in pixels; `usual`, as a CSS
  // length, for what they leave open.
  function paperMargins(usual) {
    const margins = { marginLeft: usual, marginRight: usual };
    const read = (rules) => {
      for (const rule of rules) {
        if (rule instanceof CSSPageRule && rule.selectorText === '') {
          for (const side in margins) margins[side] = rule.style[side] || margins[side];
        } else if (rule.cssRules) {
          read(rule.cssRules);
        }
      }
    };
    for (const sheet of document.styleSheets) read(sheet.cssRules);
    const ruler = document.body.appendChild(document.createElement('div'));
    ruler.style.position = 'absolute';
    const pixels = Object.values(margins).map((length) => {
      ruler.style.width = length;
      return ruler.getBoundingClientRect().width;
    });
    ruler.remove();
    return pixels[0] + pixels[1];
  }

  const lastPart = () => all('section, article, footer, main > *').filter(isShown).at(-1);

  function scrollToTheEnd() {
    scrollTo({ top: document.documentElement.scrollHeight, behavior: 'instant' });
  }

  // Whether the end of the last part of the page is in the window.
  function isAtTheEnd() {
    const bottom = lastPart()?.getBoundingClientRect().bottom;
    return bottom > 0 && bottom <= innerHeight + ROUNDING;
  }

  // Leaves of long rows of siblings the first, the last, and one of each kind: looking at each of
  // ten thousand alike takes minutes and tells nothing more. Says how many elements are left.
  function thinOut() {
    const kind = (element) => [element, ...all('*', element)]
      .map((one) => `${one.tagName}.${one.className}.${one.getAttribute('style')}`).join();
    // From the innermost on: what is thinned out inside is more often alike.
    for (const parent of all('*').reverse()) {
      if (parent.childElementCount <= 2 * SIBLINGS) continue;
      const kinds = new Set();
      for (const [place, child] of [...parent.children].slice(0, -1).entries()) {
        if (place >= SIBLINGS && kinds.has(kind(child))) child.remove();
        else kinds.add(kind(child));
      }
    }
    return elements();
  }

  const CAN_HAVE_FOCUS = 'a[href], area[href], button, input, select, textarea, summary, iframe, '
    + 'audio[controls], video[controls], [contenteditable], [tabindex]';

  // How an element shows that it has the focus, or would.
  function ring(element) {
    const style = getComputedStyle(element);
    const hasOutline = style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0
      && style.outlineColor !== 'rgba(0, 0, 0, 0)';
    return {
      outline: hasOutline
        ? `${style.outlineStyle} ${style.outlineWidth} ${style.outlineColor}` : 'none',
      shadow: style.boxShadow,
    };
  }

  let order = [];
  let ringsBefore = [];

  // Remembers the page as it is without the focus on anything, and returns the places, in the order
  // of the document, of what the Tab key must reach.
  function beforeKeys() {
    const still = document.head.appendChild(document.createElement('style'));
    still.textContent = '* { transition: none !important; animation: none !important; '
      + 'scroll-behavior: auto !important; }';
    order = all('*');
    ringsBefore = order.map(ring);
    // Of radio buttons that belong together, Tab reaches one.
    const isOtherRadio = (element) => element.matches('input[type="radio"]')
      && element !== (all(`input[name="${CSS.escape(element.name)}"]:checked`)[0]
        ?? all(`input[name="${CSS.escape(element.name)}"]`)[0]);
    return all(CAN_HAVE_FOCUS)
      .filter((element) => element.tabIndex >= 0 && isShown(element) && !isOtherRadio(element)
        && !element.matches(':disabled, [inert], [inert] *'))
      .map((element) => order.indexOf(element));
  }

  const nameAt = (place) => named(order[place]);

  // Where the focus is, and whether that is to be seen; null where nothing has it.
  function focus() {
    const element = document.activeElement;
    if (element === null || element === document.body) return null;
    const place = order.indexOf(element);
    const { outline, shadow } = ring(element);
    const before = ringsBefore[place];
    const box = element.getBoundingClientRect();
    return {
      place,
      isMarked: (outline !== 'none' && outline !== before.outline)
        || (shadow !== 'none' && shadow !== before.shadow),
      isInView: box.bottom > 0 && box.right > 0 && box.top < innerHeight && box.left < innerWidth,
    };
  }

  return {
    unfold, text, elements, reachesOut, brokenLinks, repeatedIds, hasWayIn, sideways, cutOff,
    paperMargins, scrollToTheEnd, isAtTheEnd, thinOut, beforeKeys, nameAt, focus,
  };
}
