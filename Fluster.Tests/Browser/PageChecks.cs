namespace Fluster.Tests;

/// <summary>Scripts that look at a page in the browser and say what is wrong with it, a line for each.</summary>
internal static class PageChecks
{
    public const string Structure =
        """
        () => {
          const problems = [];
          const say = (text, element) => problems.push(`${text}: ${element ? element.outerHTML.slice(0, 160).replace(/\s+/g, ' ') : ''}`);
          const shown = element => element.checkVisibility({ visibilityProperty: true });
          if (!document.documentElement.lang) say('no language');
          if (!document.title.trim()) say('no title');
          const headings = [...document.querySelectorAll('h1, h2, h3, h4, h5, h6')].filter(shown);
          if (headings.filter(h => h.tagName === 'H1').length !== 1) say('not exactly one h1');
          let level = 0;
          for (const heading of headings) {
            const own = Number(heading.tagName[1]);
            if (own > level + 1) say(`h${own} after h${level}`, heading);
            if (!heading.textContent.trim()) say('empty heading', heading);
            level = own;
          }
          if (document.querySelectorAll('main').length !== 1) say('not exactly one main');
          const referred = element => (element.getAttribute('aria-labelledby') ?? '').split(' ').map(id => document.getElementById(id)?.textContent ?? '').join(' ');
          const name = element => (element.getAttribute('aria-label') ?? '') || referred(element).trim();
          for (const field of document.querySelectorAll('input:not([type=hidden]), select, textarea')) {
            if (shown(field) && !name(field) && ![...field.labels].some(label => label.textContent.trim())) say('field without a label', field);
          }
          for (const control of document.querySelectorAll('button, a[href], summary, [role=button]')) {
            const inner = control.textContent.trim() || [...control.querySelectorAll('img[alt]')].map(i => i.alt).join('') || [...control.querySelectorAll('svg[aria-label]')].map(name).join('');
            if (shown(control) && !name(control) && !inner) say('control without a name', control);
          }
          for (const image of document.querySelectorAll('img:not([alt])')) say('image without a text', image);
          for (const drawing of document.querySelectorAll('svg')) {
            if (shown(drawing) && drawing.getAttribute('aria-hidden') !== 'true' && !(drawing.getAttribute('role') === 'img' && name(drawing)) && !drawing.closest('[aria-hidden=true]')) say('drawing without a text', drawing);
          }
          for (const table of document.querySelectorAll('table')) if (shown(table) && !table.querySelector('th')) say('table without headings', table);
          for (const element of document.querySelectorAll('[tabindex]')) if (Number(element.getAttribute('tabindex')) > 0) say('order of focus changed', element);
          const ids = new Set();
          for (const element of document.querySelectorAll('[id]')) { if (ids.has(element.id)) say('id twice', element); ids.add(element.id); }
          for (const element of document.querySelectorAll('[style]:not([style=""])')) say('inline style', element);
          return problems;
        }
        """;

    /// <summary>WCAG 2: 4.5 to 1, for large text 3 to 1.</summary>
    public const string Contrast =
        """
        () => {
          const canvas = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true });
          const rgba = text => {
            const numbers = /^rgba?\(([^)]+)\)$/.exec(text)?.[1].split(/[ ,\/]+/).map(Number);
            if (numbers) return [numbers[0], numbers[1], numbers[2], numbers[3] ?? 1];
            canvas.clearRect(0, 0, 1, 1);
            canvas.fillStyle = text;
            canvas.fillRect(0, 0, 1, 1);
            const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
            return [r, g, b, a / 255];
          };
          const over = (top, below) => [0, 1, 2].map(i => top[i] * top[3] + below[i] * (1 - top[3])).concat(1);
          const light = ([r, g, b]) => [r, g, b].map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4).reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
          const background = element => {
            const layers = [];
            for (let e = element; e; e = e.parentElement) {
              const colour = rgba(getComputedStyle(e).backgroundColor);
              if (colour[3] > 0) layers.push(colour);
              if (colour[3] === 1) break;
            }
            const dark = getComputedStyle(document.documentElement).colorScheme === 'dark';
            return layers.reverse().reduce((below, top) => over(top, below), dark ? [18, 18, 18, 1] : [255, 255, 255, 1]);
          };
          const problems = new Set();
          const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
          while (walker.nextNode()) {
            const node = walker.currentNode;
            const element = node.parentElement;
            if (!node.nodeValue.trim() || element.closest('script, style, noscript, .visually-hidden, .skip, option') || !element.checkVisibility({ visibilityProperty: true })) continue;
            const style = getComputedStyle(element);
            const behind = background(element);
            let front = rgba(element instanceof SVGElement ? style.fill : style.color);
            let opacity = 1;
            for (let e = element; e; e = e.parentElement) opacity *= Number(getComputedStyle(e).opacity);
            front = over([front[0], front[1], front[2], front[3] * opacity], behind);
            const [a, b] = [light(front), light(behind)].sort((x, y) => y - x);
            const ratio = (a + 0.05) / (b + 0.05);
            const size = parseFloat(style.fontSize);
            const large = size >= 24 || size >= 18.66 && Number(style.fontWeight) >= 700;
            if (ratio < (large ? 3 : 4.5)) problems.add(`contrast ${ratio.toFixed(2)} of "${node.nodeValue.trim().slice(0, 40)}" in <${element.tagName.toLowerCase()} class="${element.getAttribute('class') ?? ''}">, rgb(${front.slice(0, 3).map(Math.round)}) on rgb(${behind.slice(0, 3).map(Math.round)})`);
          }
          return [...problems];
        }
        """;

    public const string Width =
        """
        () => {
          const width = document.documentElement.clientWidth;
          if (document.documentElement.scrollWidth <= width) return [];
          const scrolls = element => { for (let e = element.parentElement; e; e = e.parentElement) if (/auto|scroll|hidden/.test(getComputedStyle(e).overflowX) && e !== document.body && e !== document.documentElement) return true; return false; };
          return [...document.querySelectorAll('body *')].filter(e => e.getBoundingClientRect().right > width + 1 && !scrolls(e)).slice(0, 5).map(e => `wider than the window: ${e.outerHTML.slice(0, 120)}`).concat(`page ${document.documentElement.scrollWidth} px, window ${width} px`);
        }
        """;
}
