// Keeps what the reader has selected while an answer's text is rendered again, for example when the answer ends.

let kept = null;

document.addEventListener("htmx:before:swap", (event) => {
  kept = readSelection();
  for (const task of event.detail.tasks ?? []) {
    if (task.swapSpec?.style === "outerMorph") keepTail(task.target, task.fragment);
  }
});

document.addEventListener("htmx:after:swap", () => {
  if (kept) restore(kept);
  kept = null;
});

// The open end of a growing text is in an element of its own, which a finished text lacks. Without it, the morph finds
// the blocks of the open end in their places.
function keepTail(target, fragment) {
  for (const tail of target.querySelectorAll?.(".markdown > .tail") ?? []) {
    const place = tail.parentNode;
    if (fragment.querySelector(`[id="${place.id}"] > .tail`)) continue;
    while (tail.firstChild) {
      // A moved element keeps the focus; browsers without moveBefore lose it.
      if (place.moveBefore) place.moveBefore(tail.firstChild, tail);
      else place.insertBefore(tail.firstChild, tail);
    }
    tail.remove();
  }
}

function readSelection() {
  const selection = getSelection();
  if (selection.isCollapsed || !selection.rangeCount) return null;
  const { anchorNode, anchorOffset, focusNode, focusOffset } = selection;
  const isBackwards = selection.direction ? selection.direction === "backward" : selection.getRangeAt(0).startContainer !== anchorNode;
  const [anchor, focus] = [[anchorNode, anchorOffset, isBackwards], [focusNode, focusOffset, !isBackwards]].map(describe);
  return anchor.text || focus.text ? { anchor, focus, words: words(selection) } : null;
}

// A point in an answer's text is the number of characters before it, because its elements may change.
function describe([node, offset, isEnd]) {
  const element = node.nodeType === Node.ELEMENT_NODE ? node : node.parentElement;
  const text = element.closest(".message .markdown[id]");
  if (!text) return { node, offset };
  const before = document.createRange();
  before.setStart(text, 0);
  before.setEnd(node, offset);
  return { text: text.id, count: squeeze(before.toString()).length, isEnd };
}

function restore({ anchor, focus, words: before }) {
  const selection = getSelection();
  if (selection.rangeCount && words(selection) === before) return;
  const [from, to] = [find(anchor), find(focus)];
  if (!from || !to) return;
  const range = document.createRange();
  const [first, last] = anchor.isEnd ?? !focus.isEnd ? [to, from] : [from, to];
  range.setStart(...first);
  range.setEnd(...last);
  // If the words have changed, a reader should not copy others.
  if (squeeze(range.toString()) === before) selection.setBaseAndExtent(...from, ...to);
}

function find({ node, offset, text, count, isEnd }) {
  if (!text) return node.isConnected ? [node, offset] : null;
  const place = document.getElementById(text);
  if (!place) return null;
  const walker = document.createTreeWalker(place, NodeFilter.SHOW_TEXT);
  let left = count + (isEnd ? 0 : 1);
  while (walker.nextNode()) {
    const { data } = walker.currentNode;
    const length = squeeze(data).length;
    if (length < left) left -= length;
    else for (let at = 0; at < data.length; at += 1) {
      if (/\S/.test(data[at]) && --left === 0) return [walker.currentNode, isEnd ? at + 1 : at];
    }
  }
  return null;
}

function words(selection) {
  return squeeze(selection.getRangeAt(0).toString());
}

// The space between blocks differs between a growing and a finished text.
function squeeze(text) {
  return text.replace(/\s+/g, "");
}
